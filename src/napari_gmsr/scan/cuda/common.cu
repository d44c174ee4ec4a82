// What the forward and the backward kernels share.
//
// Compiled for one number of channels and one rank, CHANNELS (even) and RANK. A thread walks a chunk step by step in scan order with
// two channels (a pair). Two directions that run through the same pixels, one backwards, are handled together: `reversed` is 0 or 1,
// and the direction's number in the weights is columns + 2 * reversed.

constexpr int STATES = 16;
constexpr int PAIRS = CHANNELS / 2;
constexpr float LOG2E = 1.4426950408889634f;
constexpr float LN2 = 0.6931471805599453f;

// The chunks of all pictures, numbered picture by picture.
struct Walk {
  int height, width, columns, chunk_length, chunks, total;  // chunks of a picture, and of all of them
};

// Weights that make a pair's steps dt = softplus(W r + bias).
struct StepWeights {
  float2 weight[RANK], bias;
};

__device__ __forceinline__ StepWeights load_step_weights(
    const float* __restrict__ dt_proj, const float* __restrict__ dt_bias, int direction, int pair) {
  StepWeights w;
  const int channel = direction * CHANNELS + 2 * min(pair, PAIRS - 1);
  for (int r = 0; r < RANK; ++r)
    w.weight[r] = make_float2(dt_proj[channel * RANK + r], dt_proj[(channel + 1) * RANK + r]);
  w.bias = make_float2(dt_bias[channel], dt_bias[channel + 1]);
  return w;
}

// W r + bias, before the softplus. `r` may lie in global or in shared memory.
__device__ __forceinline__ float2 step_logits(const StepWeights& w, const float* r) {
  float2 v = w.bias;
  for (int i = 0; i < RANK; ++i) {
    v.x = fmaf(w.weight[i].x, r[i], v.x);
    v.y = fmaf(w.weight[i].y, r[i], v.y);
  }
  return v;
}

// log(1 + e^v) = max(v, 0) + 2 atanh(s), s = e / (2 + e), e = exp(-|v|); the polynomial is exact to 4e-9.
__device__ __forceinline__ float softplus(float v) {
  const float e = exp2_fast(-fabsf(v) * LOG2E);
  const float s = e * reciprocal(2.f + e);
  const float z = s * s;
  float p = 0.14087329f;
  p = fmaf(p, z, 0.13980709f);
  p = fmaf(p, z, 0.20012427f);
  p = fmaf(p, z, 0.33333158f);
  p = fmaf(p, z, 1.f);
  return fmaxf(v, 0.f) + 2.f * s * p;
}

__device__ __forceinline__ float sigmoid(float v) { return reciprocal(1.f + exp2_fast(-v * LOG2E)); }

// Where chunk states lie: (reversed, chunk, state, channel).
__device__ __forceinline__ size_t state_offset(const Walk& walk, int reversed, int chunk) {
  return ((size_t)reversed * walk.total + chunk) * STATES * CHANNELS;
}

// From each chunk's own end state (started at zero) to the state that enters it, in place. One block scans LANES neighbouring entries
// of one picture and direction, SEGMENTS segments of chunks side by side, in a fixed order. The second array (z = 1) is the adjoint's
// and runs the other way.
constexpr int AHEAD = 8;  // chunks that are loaded before any is stored

// Walk from chunk `first` to `last`; where STORE, leave in each the state that enters it.
template <bool STORE>
__device__ __forceinline__ void sweep(
    float* state, const float* sum, long long direction, int first, int last, float rate, float& h, float& time) {
  const long long stride = direction * STATES * CHANNELS, step = direction * CHANNELS;
  int i = first;
  for (; i + AHEAD <= last; i += AHEAD) {
    float own[AHEAD], dt[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; ++k) {
      own[k] = state[(i + k) * stride];
      dt[k] = sum[(i + k) * step];
    }
#pragma unroll
    for (int k = 0; k < AHEAD; ++k) {
      if (STORE) state[(i + k) * stride] = h;
      h = fmaf(exp2_fast(rate * dt[k]), h, own[k]);
      time += dt[k];
    }
  }
  for (; i < last; ++i) {
    const float own = state[i * stride], dt = sum[i * step];
    if (STORE) state[i * stride] = h;
    h = fmaf(exp2_fast(rate * dt), h, own);
    time += dt;
  }
}

template <int LANES, int SEGMENTS, int HELD>
__device__ __forceinline__ void carry_over(float* states, const float* __restrict__ sums, const float* __restrict__ rates, const Walk& walk) {
  __shared__ float ends[SEGMENTS][LANES], elapsed[SEGMENTS][LANES];
  const int lane = threadIdx.x % LANES, segment = threadIdx.x / LANES;
  const int entry = blockIdx.y * LANES + lane;
  const int channel = entry % CHANNELS;
  const int image = blockIdx.x / 2, reversed = blockIdx.x % 2;
  const bool descending = (reversed ^ blockIdx.z) != 0;
  const float rate = rates[((walk.columns + 2 * reversed) * CHANNELS + channel) * STATES + entry / CHANNELS];
  const int length = (walk.chunks + SEGMENTS - 1) / SEGMENTS;
  const int first = min(segment * length, walk.chunks), last = min(first + length, walk.chunks);
  const size_t base = (size_t)reversed * walk.total + (size_t)image * walk.chunks;
  float* state = states + ((size_t)blockIdx.z * 2 * walk.total + base) * STATES * CHANNELS + entry;
  const float* sum = sums + base * CHANNELS + channel;

  const long long direction = descending ? -1 : 1;
  const size_t start = descending ? walk.chunks - 1 : 0;
  state += (long long)start * STATES * CHANNELS;
  sum += (long long)start * CHANNELS;
  float h = 0.f, time = 0.f, own[HELD], decay[HELD];
  if (length <= HELD) {  // few enough to be read once
#pragma unroll
    for (int k = 0; k < HELD; ++k) {
      const bool real = first + k < last;
      own[k] = real ? state[direction * (first + k) * STATES * CHANNELS] : 0.f;
      decay[k] = real ? sum[direction * (first + k) * CHANNELS] : 0.f;
    }
#pragma unroll
    for (int k = 0; k < HELD; ++k) {
      time += decay[k];
      decay[k] = exp2_fast(rate * decay[k]);
      h = fmaf(decay[k], h, own[k]);
    }
  } else {
    sweep<false>(state, sum, direction, first, last, rate, h, time);
  }
  ends[segment][lane] = h;
  elapsed[segment][lane] = time;
  __syncthreads();
  h = 0.f;
  for (int i = 0; i < segment; ++i) h = fmaf(exp2_fast(rate * elapsed[i][lane]), h, ends[i][lane]);
  if (length > HELD) {
    sweep<true>(state, sum, direction, first, last, rate, h, time);
    return;
  }
#pragma unroll
  for (int k = 0; k < HELD; ++k) {
    if (first + k < last) state[direction * (first + k) * STATES * CHANNELS] = h;
    h = fmaf(decay[k], h, own[k]);
  }
}

extern "C" __global__ void __launch_bounds__(1024) carry(
    float* states, const float* __restrict__ sums, const float* __restrict__ rates, Walk walk) {
  carry_over<8, 128, 8>(states, sums, rates, walk);
}

// The same for many pictures, which fill the card with wider blocks.
extern "C" __global__ void __launch_bounds__(1024) carry_wide(
    float* states, const float* __restrict__ sums, const float* __restrict__ rates, Walk walk) {
  carry_over<32, 32, 16>(states, sums, rates, walk);
}
