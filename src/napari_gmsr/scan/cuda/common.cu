// What the forward and the backward kernels share.
//
// Compiled for one number of channels and one rank: CHANNELS (even), RANK, and how a block is filled:
// *_GROUPS chunks side by side, *_PAIRS pairs of channels each (PAIRS rounded up; the surplus idles).
//
// A thread holds two channels (a pair) and four of their sixteen states; four neighbouring lanes hold a pair. A chunk is
// walked step by step in scan order, TILE steps at a time through shared memory. Two directions that run through the same pixels,
// one backwards, are handled together: `reversed` is 0 or 1, and the direction's number in the weights is columns + 2 * reversed.

constexpr int STATES = 16;
constexpr int TILE = 32;
constexpr int PAIRS = CHANNELS / 2;
constexpr int ROW = 32 + (RANK + 3) / 4 * 4;  // floats of a pixel's projection in one direction: B, C, r, padding
constexpr int RANKS = ROW - 32;
constexpr float LOG2E = 1.4426950408889634f;
constexpr float LN2 = 0.6931471805599453f;

// The chunks of all pictures, numbered picture by picture.
struct Walk {
  int height, width, columns, chunk_length, chunks, total;  // chunks of a picture, and of all of them
};

// Pixel, over all pictures, of a step of a chunk in scan order; -1 past its end.
__device__ __forceinline__ int pixel_at(const Walk& walk, int chunk, int reversed, int step) {
  if (chunk >= walk.total) return -1;
  const int image = chunk / walk.chunks;
  const int length = walk.height * walk.width;
  const int first = (chunk - image * walk.chunks) * walk.chunk_length;
  const int count = min(walk.chunk_length, length - first);
  if (step >= count) return -1;
  int position = first + (reversed ? count - 1 - step : step);
  if (walk.columns) {
    const int column = position / walk.height;
    position = (position - column * walk.height) * walk.width + column;
  }
  return image * length + position;
}

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

// Decay rates of a thread's two channels and four states, times log2(e).
__device__ __forceinline__ void load_rates(
    float (&rate)[8], const float* __restrict__ rates, int direction, int pair, int quarter) {
  const int channel = direction * CHANNELS + 2 * min(pair, PAIRS - 1);
  for (int c = 0; c < 2; ++c)
    for (int n = 0; n < 4; ++n) rate[4 * c + n] = rates[(channel + c) * STATES + 4 * quarter + n];
}

// Where chunk states lie: (reversed, chunk, state, channel).
__device__ __forceinline__ size_t state_offset(const Walk& walk, int reversed, int chunk) {
  return ((size_t)reversed * walk.total + chunk) * STATES * CHANNELS;
}

__device__ __forceinline__ void store_states(float* states, const float (&h)[8], int pair, int quarter) {
  float2* out = (float2*)states;
  for (int n = 0; n < 4; ++n) out[(4 * quarter + n) * PAIRS + pair] = make_float2(h[n], h[4 + n]);
}

__device__ __forceinline__ void load_states(float (&h)[8], const float* states, int pair, int quarter) {
  const float2* in = (const float2*)states;
  for (int n = 0; n < 4; ++n) {
    const float2 v = in[(4 * quarter + n) * PAIRS + pair];
    h[n] = v.x;
    h[4 + n] = v.y;
  }
}

// A block's tile in shared memory: rows of TILE steps, in each the GROUPS chunks side by side.
template <int GROUPS, int PADDED>
struct Tile {
  static constexpr int SLOTS = GROUPS * PADDED;  // pairs of a block
  static constexpr int THREADS = 4 * SLOTS;
  float4* points;  // [TILE][SLOTS]: dt of both channels, then u of both
  float* rows;     // [TILE][GROUPS][ROW]: B, C, r
  int* pixels;     // [TILE][GROUPS]

  __device__ __forceinline__ char* place(char* memory) {
    points = (float4*)memory;
    rows = (float*)(points + TILE * SLOTS);
    pixels = (int*)(rows + TILE * GROUPS * ROW);
    return (char*)(pixels + TILE * GROUPS);
  }

  // Fill with steps first_step ... of the chunks first_chunk ...; gradients (of y) may be absent. Pixels past the end of a chunk get
  // zeros: they neither decay nor add. Ends with a barrier.
  template <bool GRADIENT>
  __device__ __forceinline__ void load(
      const Walk& walk, int first_chunk, int reversed, int first_step, const float2* __restrict__ x,
      const float4* __restrict__ projected, const StepWeights& w, const float2* __restrict__ gy, float2* gradient) {
    const int tid = threadIdx.x;
    for (int i = tid; i < TILE * GROUPS; i += THREADS)
      pixels[i] = pixel_at(walk, first_chunk + i % GROUPS, reversed, first_step + i / GROUPS);
    __syncthreads();
    const int slot = tid % SLOTS, group = slot / PADDED, pair = slot % PADDED;
#pragma unroll
    for (int k = 0; k < TILE / 4; ++k) {
      const int row = tid / SLOTS + 4 * k;
      const int pixel = pixels[row * GROUPS + group];
      float4 point = make_float4(0.f, 0.f, 0.f, 0.f);
      float2 g = make_float2(0.f, 0.f);
      if (pixel >= 0 && pair < PAIRS) {
        const float2 u = x[(size_t)pixel * PAIRS + pair];
        if (GRADIENT) g = gy[(size_t)pixel * PAIRS + pair];
        const float2 v = step_logits(w, (const float*)(projected + ((size_t)pixel * 2 + reversed) * (ROW / 4) + 8));
        point = make_float4(softplus(v.x), softplus(v.y), u.x, u.y);
      }
      points[row * SLOTS + slot] = point;
      if (GRADIENT) gradient[row * SLOTS + slot] = g;
    }
    for (int i = tid; i < TILE * GROUPS * (ROW / 4); i += THREADS) {
      const int pixel = pixels[i / (ROW / 4)];
      float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
      if (pixel >= 0) v = projected[((size_t)pixel * 2 + reversed) * (ROW / 4) + i % (ROW / 4)];
      ((float4*)rows)[i] = v;
    }
    __syncthreads();
  }

  __device__ __forceinline__ float4 B(int row, int group, int quarter) const {
    return ((const float4*)(rows + (row * GROUPS + group) * ROW))[quarter];
  }
  __device__ __forceinline__ float4 C(int row, int group, int quarter) const {
    return ((const float4*)(rows + (row * GROUPS + group) * ROW))[4 + quarter];
  }
};

// From each chunk's own end state (started at zero) to the state that enters it, in place. One block scans 32 neighbouring entries
// of one picture and direction, 32 segments of chunks side by side, in a fixed order. The second array (z = 1) is the adjoint's and
// runs the other way.
extern "C" __global__ void __launch_bounds__(1024) carry(
    float* states, const float* __restrict__ sums, const float* __restrict__ rates, Walk walk) {
  __shared__ float ends[32][32], elapsed[32][32];
  const int lane = threadIdx.x % 32, segment = threadIdx.x / 32;
  const int entry = blockIdx.y * 32 + lane;
  const int channel = entry % CHANNELS;
  const int image = blockIdx.x / 2, reversed = blockIdx.x % 2;
  const bool descending = (reversed ^ blockIdx.z) != 0;
  const float rate = rates[((walk.columns + 2 * reversed) * CHANNELS + channel) * STATES + entry / CHANNELS];
  const int length = (walk.chunks + 31) / 32;
  const int first = min(segment * length, walk.chunks), last = min(first + length, walk.chunks);
  const size_t base = (size_t)reversed * walk.total + (size_t)image * walk.chunks;
  float* state = states + ((size_t)blockIdx.z * 2 * walk.total + base) * STATES * CHANNELS + entry;
  const float* sum = sums + base * CHANNELS + channel;

  float h = 0.f, time = 0.f;
#pragma unroll 4
  for (int i = first; i < last; ++i) {
    const size_t chunk = descending ? walk.chunks - 1 - i : i;
    const float dt = sum[chunk * CHANNELS];
    h = fmaf(exp2_fast(rate * dt), h, state[chunk * STATES * CHANNELS]);
    time += dt;
  }
  ends[segment][lane] = h;
  elapsed[segment][lane] = time;
  __syncthreads();
  h = 0.f;
  for (int i = 0; i < segment; ++i) h = fmaf(exp2_fast(rate * elapsed[i][lane]), h, ends[i][lane]);
#pragma unroll 4
  for (int i = first; i < last; ++i) {
    const size_t chunk = descending ? walk.chunks - 1 - i : i;
    const float own = state[chunk * STATES * CHANNELS];
    state[chunk * STATES * CHANNELS] = h;
    h = fmaf(exp2_fast(rate * sum[chunk * CHANNELS]), h, own);
  }
}
