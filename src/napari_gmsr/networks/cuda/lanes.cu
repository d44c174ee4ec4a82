// Functions of a value, and sums over eight neighbouring lanes that hold a pixel's channels together.

constexpr float LOG2E = 1.4426950408889634f;

__device__ __forceinline__ float sigmoid(float v) { return reciprocal(1.f + exp2_fast(-v * LOG2E)); }
__device__ __forceinline__ float silu(float v) { return v * sigmoid(v); }

__device__ __forceinline__ float sum_of_eight(float v) {
  v += exchange(v, 1);
  v += exchange(v, 2);
  return v + exchange(v, 4);
}

// Mean and reciprocal standard deviation of COUNT values, of which each of eight neighbouring lanes holds every eighth.
template <int COUNT, int HELD>
__device__ __forceinline__ float2 moments(const float (&v)[HELD], float eps) {
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < HELD; ++i) sum += v[i];
  const float mean = sum_of_eight(sum) / COUNT;
  sum = 0.f;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const float d = 8 * i + threadIdx.x % 8 < COUNT ? v[i] - mean : 0.f;
    sum = fmaf(d, d, sum);
  }
  return make_float2(mean, rsqrtf(sum_of_eight(sum) / COUNT + eps));
}
