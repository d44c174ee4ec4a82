// The end of a block in training: a + GELU(W [kept * scanned, spatial * a, spectral * a, 1]), and its gradient. The concatenation exists
// sixteen rows a warp at a time, in shared memory. WIDTH is the number of channels; the linear layer has IN = 3 * WIDTH + 1 inputs, the
// last for the bias, and OUT = WIDTH outputs. A block keeps to one picture, blockIdx.y.

struct Branches {
  const float *a, *scanned, *spatial, *spectral;  // of this picture
  float kept;

  __device__ __forceinline__ Branches(const float* a, const float* scanned, const float* kept, const float* spatial,
                                      const float* spectral, size_t first)
      : a(a + first * WIDTH), scanned(scanned + first * WIDTH), spatial(spatial + first), spectral(spectral + blockIdx.y * WIDTH),
        kept(kept[blockIdx.y]) {}

  // Rows past `count` become zero.
  __device__ __forceinline__ void load(float* features, int start, int count) const {
    for (int i = threadIdx.x; i < SIXTEENS * WIDTH; i += LINEAR_THREADS) {
      const int row = i / WIDTH, channel = i % WIDTH;
      const bool real = row < count;
      const size_t at = (size_t)(start + row) * WIDTH + channel;
      const float v = real ? a[at] : 0.f;
      float* to = features + row * IN_ROW + channel;
      to[0] = real ? kept * scanned[at] : 0.f;
      to[WIDTH] = real ? spatial[start + row] * v : 0.f;
      to[2 * WIDTH] = spectral[channel] * v;
      if (channel == 0) features[row * IN_ROW + 3 * WIDTH] = real;
    }
  }
};

__device__ __forceinline__ float normal_share(float v) { return 0.5f * (1.f + erff(v * 0.70710678118654752f)); }

__device__ __forceinline__ void pack_fusion(float4* to, const float* __restrict__ weights, const float* __restrict__ bias) {
  pack<IN_TILES, OUT_TILES>(to, [&](int o, int i) {
    return o < OUT && i < IN ? (i < IN - 1 ? weights[o * (IN - 1) + i] : bias[o]) : 0.f;
  });
}

extern "C" __global__ void __launch_bounds__(LINEAR_THREADS) fuse_branches(
    const float* __restrict__ a, const float* __restrict__ scanned, const float* __restrict__ kept, const float* __restrict__ spatial,
    const float* __restrict__ spectral, const float* __restrict__ weights, const float* __restrict__ bias, float* __restrict__ out,
    int pixels) {
  extern __shared__ float4 shared[];
  float* features = (float*)(shared + IN_TILES * OUT_TILES * 32);  // [SIXTEENS][IN_ROW]
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const size_t first = (size_t)blockIdx.y * pixels;
  const Branches branches(a, scanned, kept, spatial, spectral, first);
  pack_fusion(shared, weights, bias);
  for (int i = tid; i < SIXTEENS * IN_ROW; i += LINEAR_THREADS) features[i] = 0.f;
  for (int start = blockIdx.x * SIXTEENS; start < pixels; start += gridDim.x * SIXTEENS) {
    const int count = min(SIXTEENS, pixels - start);
    __syncthreads();
    branches.load(features, start, count);
    __syncthreads();
    float sums[OUT_TILES][4] = {};
    const float* from = features + (16 * warp + lane / 4) * IN_ROW;
    multiply<IN_TILES, OUT_TILES>(sums, shared, [&](int half, int column) { return from[half * 8 * IN_ROW + column]; });
#pragma unroll
    for (int j = 0; j < OUT_TILES; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = 16 * warp + lane / 4 + i / 2 * 8, channel = 8 * j + lane % 4 * 2 + i % 2;
        if (row >= count || channel >= OUT) continue;
        const size_t at = (size_t)(start + row) * WIDTH + channel;
        out[first * WIDTH + at] = branches.a[at] + sums[j][i] * normal_share(sums[j][i]);
      }
  }
}

// Gradients of a, of the scanned branch and of the spatial gate; of weights and bias (the last column) a block's part each.
extern "C" __global__ void __launch_bounds__(LINEAR_THREADS) fuse_branches_backward(
    const float* __restrict__ a, const float* __restrict__ scanned, const float* __restrict__ kept, const float* __restrict__ spatial,
    const float* __restrict__ spectral, const float* __restrict__ weights, const float* __restrict__ bias,
    const float* __restrict__ gradient, float* __restrict__ ga, float* __restrict__ gscanned, float* __restrict__ gspatial,
    float* __restrict__ partials, int pixels) {
  extern __shared__ float4 shared[];
  constexpr int PACKED = IN_TILES * OUT_TILES * 32;
  float4* transposed = shared + PACKED;
  float* features = (float*)(transposed + PACKED);  // [SIXTEENS][IN_ROW], then their gradients
  float* gradients = features + SIXTEENS * IN_ROW;  // [SIXTEENS][OUT_ROW]: before GELU
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const size_t first = (size_t)blockIdx.y * pixels;
  const Branches branches(a, scanned, kept, spatial, spectral, first);
  pack_fusion(shared, weights, bias);
  pack<OUT_TILES, IN_TILES>(transposed, [&](int i, int o) { return o < OUT && i < IN - 1 ? weights[o * (IN - 1) + i] : 0.f; });
  for (int i = tid; i < SIXTEENS * (IN_ROW + OUT_ROW); i += LINEAR_THREADS) features[i] = 0.f;
  Products products;
  const float* given = gradient + first * WIDTH;

  for (int start = blockIdx.x * SIXTEENS; start < pixels; start += gridDim.x * SIXTEENS) {
    const int count = min(SIXTEENS, pixels - start);
    __syncthreads();
    branches.load(features, start, count);
    if (tid < SIXTEENS)
      for (int column = IN; column < 8 * IN_TILES; ++column) features[tid * IN_ROW + column] = 0.f;
    __syncthreads();
    float* own = features + (16 * warp + lane / 4) * IN_ROW;
    float* own_gradients = gradients + (16 * warp + lane / 4) * OUT_ROW;
    float sums[OUT_TILES][4] = {};
    multiply<IN_TILES, OUT_TILES>(sums, shared, [&](int half, int column) { return own[half * 8 * IN_ROW + column]; });
#pragma unroll
    for (int j = 0; j < OUT_TILES; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = 16 * warp + lane / 4 + i / 2 * 8, channel = 8 * j + lane % 4 * 2 + i % 2;
        const float v = sums[j][i];
        float g = 0.f;
        if (row < count && channel < OUT) {
          const float density = 0.3989422804014327f * exp2_fast(-0.72134752044448170f * v * v);
          g = given[(size_t)(start + row) * WIDTH + channel] * fmaf(v, density, normal_share(v));
        }
        own_gradients[i / 2 * 8 * OUT_ROW + channel] = g;
      }
    __syncwarp();
    float passed[IN_TILES][4] = {};
    multiply<OUT_TILES, IN_TILES>(
        passed, transposed, [&](int half, int column) { return own_gradients[half * 8 * OUT_ROW + column]; });
    __syncthreads();
    products.add(gradients, features);
    __syncthreads();
    float by_gate[2] = {};
#pragma unroll
    for (int j = 0; j < IN_TILES; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = 16 * warp + lane / 4 + i / 2 * 8, column = 8 * j + lane % 4 * 2 + i % 2;
        own[i / 2 * 8 * IN_ROW + column] = passed[j][i];
        if (column >= WIDTH && column < 2 * WIDTH && row < count)
          by_gate[i / 2] = fmaf(passed[j][i], branches.a[(size_t)(start + row) * WIDTH + column - WIDTH], by_gate[i / 2]);
      }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      by_gate[half] += exchange(by_gate[half], 1);
      by_gate[half] += exchange(by_gate[half], 2);
      const int row = 16 * warp + lane / 4 + 8 * half;
      if (lane % 4 == 0 && row < count) gspatial[first + start + row] = by_gate[half];
    }
    __syncthreads();
    for (int i = tid; i < count * WIDTH; i += LINEAR_THREADS) {
      const int row = i / WIDTH, channel = i % WIDTH;
      const float* from = features + row * IN_ROW + channel;
      const size_t at = (size_t)(start + row) * WIDTH + channel;
      gscanned[first * WIDTH + at] = branches.kept * from[0];
      ga[first * WIDTH + at] = fmaf(branches.spatial[start + row], from[WIDTH], fmaf(branches.spectral[channel], from[2 * WIDTH], given[at]));
    }
  }
  products.store(partials + ((size_t)blockIdx.y * gridDim.x + blockIdx.x) * OUT * IN);
}
