// A linear layer of OUT x IN weights on `total` rows of features, with its gradient. Weights are read as PyTorch keeps them, row by row.

constexpr int WARPS = 4, LINEAR_THREADS = 32 * WARPS, SIXTEENS = 16 * WARPS;  // rows that a block works on at a time
constexpr int IN_TILES = (IN + 7) / 8, OUT_TILES = (OUT + 7) / 8, OUT_HALVES = (OUT + 15) / 16;
constexpr int IN_ROW = 8 * IN_TILES + 4, OUT_ROW = 16 * OUT_HALVES + 4;       // floats; the surplus keeps lanes on different banks

// Split weights and put them in the order in which `multiply` reads them; value(output, input) gives one.
template <int DEPTH, int TILES, typename Value>
__device__ __forceinline__ void pack(float4* to, Value value) {
  for (int i = threadIdx.x; i < DEPTH * TILES * 32; i += LINEAR_THREADS) {
    const int lane = i % 32, output = i / 32 % TILES * 8 + lane / 4, input = i / 32 / TILES * 8 + lane % 4;
    const float first = value(output, input), second = value(output, input + 4);
    const float a = leading(first), b = leading(second);
    to[i] = make_float4(a, b, leading(first - a), leading(second - b));
  }
}

extern "C" __global__ void __launch_bounds__(LINEAR_THREADS) linear(
    const float* __restrict__ x, const float* __restrict__ weights, float* __restrict__ y, int total) {
  extern __shared__ float4 shared[];
  pack<IN_TILES, OUT_TILES>(shared, [&](int o, int i) { return o < OUT && i < IN ? weights[o * IN + i] : 0.f; });
  __syncthreads();
  const int lane = threadIdx.x % 32;
  for (int tile = blockIdx.x * WARPS + threadIdx.x / 32; tile < (total + 15) / 16; tile += gridDim.x * WARPS) {
    const int row = 16 * tile + lane / 4;
    float sums[OUT_TILES][4] = {};
    multiply<IN_TILES, OUT_TILES>(sums, shared, [&](int half, int column) {
      return column < IN && row + 8 * half < total ? x[(size_t)(row + 8 * half) * IN + column] : 0.f;
    });
#pragma unroll
    for (int j = 0; j < OUT_TILES; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int r = row + i / 2 * 8, column = 8 * j + lane % 4 * 2 + i % 2;
        if (r < total && column < OUT) y[(size_t)r * OUT + column] = sums[j][i];
      }
  }
}

// The sum over a block's rows of the products of each of a row's gradients with each of its features, [row][OUT_ROW] and
// [row][IN_ROW]. Of the result's tiles of 16 x 8 a warp has every WARPS-th row or column, whichever there are more of.
constexpr bool BY_ROW = OUT_HALVES >= IN_TILES;
constexpr int HELD_DOWN = BY_ROW ? (OUT_HALVES + WARPS - 1) / WARPS : OUT_HALVES;
constexpr int HELD_ACROSS = BY_ROW ? IN_TILES : (IN_TILES + WARPS - 1) / WARPS;

struct Products {
  float sums[HELD_DOWN][HELD_ACROSS][4] = {};

  static __device__ __forceinline__ int down(int m) { return BY_ROW ? m * WARPS + threadIdx.x / 32 : m; }
  static __device__ __forceinline__ int across(int n) { return BY_ROW ? n : n * WARPS + threadIdx.x / 32; }

  __device__ __forceinline__ void add(const float* gradients, const float* features) {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll 2
    for (int k = 0; k < SIXTEENS / 8; ++k) {
      float with[HELD_ACROSS][2], rest[HELD_ACROSS][2];
#pragma unroll
      for (int n = 0; n < HELD_ACROSS; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const float v = across(n) < IN_TILES ? features[(8 * k + t + 4 * i) * IN_ROW + across(n) * 8 + g] : 0.f;
          with[n][i] = leading(v);
          rest[n][i] = v - with[n][i];
        }
#pragma unroll
      for (int m = 0; m < HELD_DOWN; ++m) {
        if (down(m) >= OUT_HALVES) break;  // the same for all lanes
        float high[4], low[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float v = gradients[(8 * k + t + i / 2 * 4) * OUT_ROW + down(m) * 16 + g + i % 2 * 8];
          high[i] = leading(v);
          low[i] = v - high[i];
        }
#pragma unroll
        for (int n = 0; n < HELD_ACROSS; ++n) {
          multiply_add(sums[m][n], high, rest[n][0], rest[n][1]);
          multiply_add(sums[m][n], low, with[n][0], with[n][1]);
          multiply_add(sums[m][n], high, with[n][0], with[n][1]);
        }
      }
    }
  }

  __device__ __forceinline__ void store(float* to) const {
#pragma unroll
    for (int m = 0; m < HELD_DOWN; ++m)
#pragma unroll
      for (int n = 0; n < HELD_ACROSS; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int row = down(m) * 16 + threadIdx.x % 32 / 4 + i / 2 * 8, column = across(n) * 8 + threadIdx.x % 4 * 2 + i % 2;
          if (row < OUT && column < IN) to[row * IN + column] = sums[m][n][i];
        }
  }
};

// The gradient of x, added to what is there where `onto`; of the weights a block's part each.
extern "C" __global__ void __launch_bounds__(LINEAR_THREADS) linear_backward(
    const float* __restrict__ x, const float* __restrict__ weights, const float* __restrict__ gradient, float* gx,
    float* __restrict__ partials, int total, int onto) {
  extern __shared__ float4 shared[];
  float* features = (float*)(shared + OUT_TILES * IN_TILES * 32);  // [SIXTEENS][IN_ROW]
  float* gradients = features + SIXTEENS * IN_ROW;                 // [SIXTEENS][OUT_ROW]
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  pack<OUT_TILES, IN_TILES>(shared, [&](int i, int o) { return o < OUT && i < IN ? weights[o * IN + i] : 0.f; });
  for (int i = tid; i < SIXTEENS * (IN_ROW + OUT_ROW); i += LINEAR_THREADS) features[i] = 0.f;
  Products products;
  for (int first = blockIdx.x * SIXTEENS; first < total; first += gridDim.x * SIXTEENS) {
    const int count = min(SIXTEENS, total - first);
    __syncthreads();
    for (int i = tid; i < SIXTEENS * IN; i += LINEAR_THREADS)
      features[i / IN * IN_ROW + i % IN] = i < count * IN ? x[(size_t)first * IN + i] : 0.f;
    for (int i = tid; i < SIXTEENS * OUT; i += LINEAR_THREADS)
      gradients[i / OUT * OUT_ROW + i % OUT] = i < count * OUT ? gradient[(size_t)first * OUT + i] : 0.f;
    __syncthreads();
    float sums[IN_TILES][4] = {};
    const float* from = gradients + (16 * warp + lane / 4) * OUT_ROW;
    multiply<OUT_TILES, IN_TILES>(sums, shared, [&](int half, int column) { return from[half * 8 * OUT_ROW + column]; });
#pragma unroll
    for (int j = 0; j < IN_TILES; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = 16 * warp + lane / 4 + i / 2 * 8, column = 8 * j + lane % 4 * 2 + i % 2;
        if (row >= count || column >= IN) continue;
        float* place = gx + (size_t)(first + row) * IN + column;
        *place = onto ? *place + sums[j][i] : sums[j][i];
      }
    products.add(gradients, features);
  }
  products.store(partials + (size_t)blockIdx.x * OUT * IN);
}
