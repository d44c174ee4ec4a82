// A tile of the backward pass in shared memory. A thread holds a pair and four of its sixteen states; four neighbouring lanes hold the
// pair. *_GROUPS chunks lie side by side in a block, with *_PAIRS pairs each (PAIRS rounded up; the surplus idles).

constexpr int TILE = 32;
constexpr int ROW = 32 + (RANK + 3) / 4 * 4;  // floats of a pixel's projection in one direction: B, C, r, padding
constexpr int RANKS = ROW - 32;

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

// Decay rates of a thread's two channels and four states, times log2(e).
__device__ __forceinline__ void load_rates(
    float (&rate)[8], const float* __restrict__ rates, int direction, int pair, int quarter) {
  const int channel = direction * CHANNELS + 2 * min(pair, PAIRS - 1);
  for (int c = 0; c < 2; ++c)
    for (int n = 0; n < 4; ++n) rate[4 * c + n] = rates[(channel + c) * STATES + 4 * quarter + n];
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
