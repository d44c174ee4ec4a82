// Forward: K1 `summarise` (each chunk's end state from zero, and its sum of dt), `carry`, then K3 `outputs`.
//
// A thread holds all sixteen states of a pair. A block walks FORWARD_GROUPS chunks side by side, with FORWARD_PAIRS pairs each (PAIRS
// rounded up; the surplus idles), FORWARD_STEPS steps at a time: it loads their features, projects them to B, C and r on the tensor
// cores, and walks. No projection ever reaches global memory.

constexpr int GROUPS = FORWARD_GROUPS;
constexpr int STEPS = FORWARD_STEPS;
constexpr int ROWS = GROUPS * STEPS;                  // pixels at once; row = step * GROUPS + group
constexpr int THREADS = GROUPS * FORWARD_PAIRS;
constexpr int DEPTH = (CHANNELS + 7) / 8;
constexpr int RANK_TILES = (RANK + 7) / 8;
constexpr int TILES = 4 + RANK_TILES;                 // the projection's columns / 8: B, r, C
constexpr int FEATURES = 8 * DEPTH + 4;               // floats a row; the surplus keeps lanes on different banks
constexpr int PROJECTED = 8 * TILES;
constexpr int WEIGHTS = DEPTH * TILES * 32;           // float4 of a direction

// Where a thread is in its chunk.
struct Place {
  int pixel, left, length, stride, wrap, turn;

  __device__ __forceinline__ Place(const Walk& walk, int chunk, int reversed) {
    const int image = chunk / walk.chunks, pixels = walk.height * walk.width;
    const int first = (chunk - image * walk.chunks) * walk.chunk_length;
    length = chunk < walk.total ? min(walk.chunk_length, pixels - first) : 0;
    const int position = reversed ? first + length - 1 : first;
    const int sign = reversed ? -1 : 1;
    pixel = image * pixels + position;
    left = 0x7fffffff;
    stride = sign;
    wrap = turn = 0;
    if (walk.columns) {
      const int column = position / walk.height, row = position - column * walk.height;
      pixel = image * pixels + row * walk.width + column;
      left = reversed ? row + 1 : walk.height - row;  // steps to the next column
      stride = sign * walk.width;
      wrap = -sign * (pixels - 1);
      turn = walk.height;
    }
  }

  __device__ __forceinline__ void advance() {
    pixel += stride;
    if (--left == 0) {
      pixel += wrap;
      left = turn;
    }
  }
};

struct ForwardTile {
  float4* weights;   // of the direction's projection
  float* features;   // [ROWS][FEATURES]
  float* projected;  // [ROWS][PROJECTED]: B, r, C
  int* pixels;       // [ROWS], -1 past the end of a chunk

  __device__ __forceinline__ explicit ForwardTile(float4* memory) {
    weights = memory;
    features = (float*)(weights + WEIGHTS);
    projected = features + ROWS * FEATURES;
    pixels = (int*)(projected + ROWS * PROJECTED);
    for (int i = threadIdx.x; i < ROWS * FEATURES; i += THREADS) features[i] = 0.f;
  }

  __device__ __forceinline__ void load_weights(const float4* __restrict__ all, int direction) {
    for (int i = threadIdx.x; i < WEIGHTS; i += THREADS) weights[i] = all[direction * WEIGHTS + i];
  }

  // Fill with the steps from `step` on, of which each thread loads its own pair, and project to the first USED / 8 columns. Starts and
  // ends with a barrier.
  template <int USED>
  __device__ __forceinline__ void load(Place& place, int step, const float2* __restrict__ x, int group, int pair) {
    __syncthreads();
    const int count = place.length - step;
#pragma unroll
    for (int s = 0; s < STEPS; ++s) {
      float2 u = make_float2(0.f, 0.f);
      const bool real = s < count;
      if (real && pair < PAIRS) u = x[(size_t)place.pixel * PAIRS + pair];
      if (pair < PAIRS) *(float2*)(features + (s * GROUPS + group) * FEATURES + 2 * pair) = u;
      if (pair == 0) pixels[s * GROUPS + group] = real ? place.pixel : -1;
      place.advance();
    }
    __syncthreads();
    const int lane = threadIdx.x % 32;
    for (int tile = threadIdx.x / 32; tile < ROWS / 16; tile += THREADS / 32) {
      float sums[USED][4] = {};
      const float* from = features + (16 * tile + lane / 4) * FEATURES;
      multiply<DEPTH, USED, TILES>(sums, weights, [&](int half, int column) { return from[half * 8 * FEATURES + column]; });
      float* to = projected + (16 * tile + lane / 4) * PROJECTED + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < USED; ++j) {
        *(float2*)(to + 8 * j) = make_float2(sums[j][0], sums[j][1]);
        *(float2*)(to + 8 * PROJECTED + 8 * j) = make_float2(sums[j][2], sums[j][3]);
      }
    }
    __syncthreads();
  }
};

// Decay rates of both channels, times log2(e).
__device__ __forceinline__ void load_rates(float (&rate)[2 * STATES], const float* __restrict__ rates, int direction, int pair) {
  const float* from = rates + (direction * CHANNELS + 2 * min(pair, PAIRS - 1)) * STATES;
#pragma unroll
  for (int i = 0; i < 2 * STATES; ++i) rate[i] = from[i];
}

// One step: the states decay and take in B dt u; with C, their weighted sums are added to y.
template <bool OUTPUT>
__device__ __forceinline__ void advance(
    float (&h)[2 * STATES], const float (&rate)[2 * STATES], float2 dt, float2 u, const float* projected, float2& y) {
  const float2 drive = make_float2(dt.x * u.x, dt.y * u.y);
#pragma unroll
  for (int q = 0; q < STATES / 4; ++q) {
    const float4 B = *(const float4*)(projected + 4 * q);
    const float b[4] = {B.x, B.y, B.z, B.w};
    float c[4] = {};
    if (OUTPUT) {
      const float4 C = *(const float4*)(projected + 16 + 8 * RANK_TILES + 4 * q);
      c[0] = C.x, c[1] = C.y, c[2] = C.z, c[3] = C.w;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float &first = h[4 * q + i], &second = h[STATES + 4 * q + i];
      first = fmaf(exp2_fast(dt.x * rate[4 * q + i]), first, drive.x * b[i]);
      second = fmaf(exp2_fast(dt.y * rate[STATES + 4 * q + i]), second, drive.y * b[i]);
      if (OUTPUT) {
        y.x = fmaf(c[i], first, y.x);
        y.y = fmaf(c[i], second, y.y);
      }
    }
  }
}

__device__ __forceinline__ float2 step_size(const StepWeights& w, const float* projected, bool real) {
  const float2 v = step_logits(w, projected + 16);
  // Past the end of a chunk nothing decays and nothing is taken in.
  return real ? make_float2(softplus(v.x), softplus(v.y)) : make_float2(0.f, 0.f);
}

extern "C" __global__ void __launch_bounds__(THREADS, FORWARD_BLOCKS) summarise(
    const float2* __restrict__ x, const float4* __restrict__ weights, const float* __restrict__ rates,
    const float* __restrict__ dt_proj, const float* __restrict__ dt_bias, float* __restrict__ states,
    float* __restrict__ sums, Walk walk) {
  extern __shared__ float4 shared[];
  ForwardTile tile(shared);
  const int reversed = blockIdx.y, direction = walk.columns + 2 * reversed;
  const int group = threadIdx.x / FORWARD_PAIRS, pair = threadIdx.x % FORWARD_PAIRS;
  const int chunk = blockIdx.x * GROUPS + group;
  const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, pair);
  float rate[2 * STATES], h[2 * STATES] = {};
  load_rates(rate, rates, direction, pair);
  tile.load_weights(weights, direction);
  Place place(walk, chunk, reversed);
  float2 time = make_float2(0.f, 0.f), unused;

  for (int step = 0; step < walk.chunk_length; step += STEPS) {
    tile.load<2 + RANK_TILES>(place, step, x, group, pair);
#pragma unroll 2
    for (int s = 0; s < STEPS; ++s) {
      const int row = s * GROUPS + group;
      const float* projected = tile.projected + row * PROJECTED;
      const float2 u = *(const float2*)(tile.features + row * FEATURES + 2 * min(pair, PAIRS - 1));
      const float2 dt = step_size(w, projected, tile.pixels[row] >= 0);
      advance<false>(h, rate, dt, u, projected, unused);
      time.x += dt.x;
      time.y += dt.y;
    }
  }
  if (chunk < walk.total && pair < PAIRS) {
    float2* out = (float2*)(states + state_offset(walk, reversed, chunk)) + pair;
#pragma unroll
    for (int n = 0; n < STATES; ++n) out[n * PAIRS] = make_float2(h[n], h[STATES + n]);
    ((float2*)sums)[((size_t)reversed * walk.total + chunk) * PAIRS + pair] = time;
  }
}

// y of the direction is stored, or added where `columns` (rows came first); y of its reverse is added by the same thread afterwards. Each
// element gets its addends in one fixed order.
extern "C" __global__ void __launch_bounds__(THREADS, FORWARD_BLOCKS) outputs(
    const float2* __restrict__ x, const float4* __restrict__ weights, const float* __restrict__ rates,
    const float* __restrict__ dt_proj, const float* __restrict__ dt_bias, const float* __restrict__ skip,
    const float* __restrict__ states, float* y, Walk walk) {
  extern __shared__ float4 shared[];
  ForwardTile tile(shared);
  const int group = threadIdx.x / FORWARD_PAIRS, pair = threadIdx.x % FORWARD_PAIRS;
  const int chunk = blockIdx.x * GROUPS + group;

  for (int reversed = 0; reversed < 2; ++reversed) {
    const int direction = walk.columns + 2 * reversed;
    const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, pair);
    const float2 direct = ((const float2*)skip)[direction * PAIRS + min(pair, PAIRS - 1)];
    float rate[2 * STATES], h[2 * STATES] = {};
    load_rates(rate, rates, direction, pair);
    if (chunk < walk.total && pair < PAIRS) {
      const float2* in = (const float2*)(states + state_offset(walk, reversed, chunk)) + pair;
#pragma unroll
      for (int n = 0; n < STATES; ++n) {
        const float2 v = in[n * PAIRS];
        h[n] = v.x;
        h[STATES + n] = v.y;
      }
    }
    __syncthreads();
    tile.load_weights(weights, direction);
    Place place(walk, chunk, reversed);

    for (int step = 0; step < walk.chunk_length; step += STEPS) {
      tile.load<TILES>(place, step, x, group, pair);
#pragma unroll 2
      for (int s = 0; s < STEPS; ++s) {
        const int row = s * GROUPS + group, pixel = tile.pixels[row];
        const float* projected = tile.projected + row * PROJECTED;
        const float2 u = *(const float2*)(tile.features + row * FEATURES + 2 * min(pair, PAIRS - 1));
        const float2 dt = step_size(w, projected, pixel >= 0);
        float2 v = make_float2(direct.x * u.x, direct.y * u.y);
        advance<true>(h, rate, dt, u, projected, v);
        if (pixel < 0 || pair >= PAIRS) continue;
        float2* out = (float2*)y + (size_t)pixel * PAIRS + pair;
        if (reversed == 0 && walk.columns == 0) {
          *out = v;
        } else {
          add(out, v);
        }
      }
    }
  }
}
