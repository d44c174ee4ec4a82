// The 7x7 convolution of two maps to one, zero outside the picture, with its gradient. Maps lie in planes.

constexpr int TILE_SIDE = 32, HALO_SIDE = TILE_SIDE + 6, AREA = HALO_SIDE * HALO_SIDE;
constexpr int CONVOLVE_THREADS = 256;

// A plane's tile with a margin of three.
__device__ __forceinline__ void load_tile(float* tile, const float* __restrict__ plane, int top, int left, int height, int width) {
  for (int i = threadIdx.x; i < AREA; i += CONVOLVE_THREADS) {
    const int row = top - 3 + i / HALO_SIDE, column = left - 3 + i % HALO_SIDE;
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    tile[i] = inside ? plane[(size_t)row * width + column] : 0.f;
  }
}

extern "C" __global__ void __launch_bounds__(CONVOLVE_THREADS) convolve_maps(
    const float* __restrict__ maps, const float* __restrict__ taps, float* __restrict__ out, int height, int width) {
  __shared__ float tiles[2][AREA], weights[98];
  const int tid = threadIdx.x, top = blockIdx.y * TILE_SIDE, left = blockIdx.x * TILE_SIDE;
  const size_t size = (size_t)height * width;
  for (int m = 0; m < 2; ++m) load_tile(tiles[m], maps + (2 * (size_t)blockIdx.z + m) * size, top, left, height, width);
  if (tid < 98) weights[tid] = taps[tid];
  __syncthreads();
  for (int k = 0; k < TILE_SIDE * TILE_SIDE / CONVOLVE_THREADS; ++k) {
    const int row = tid / TILE_SIDE + 8 * k, column = tid % TILE_SIDE;
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < 98; ++i) sum = fmaf(weights[i], tiles[i / 49][(row + i % 49 / 7) * HALO_SIDE + column + i % 7], sum);
    if (top + row < height && left + column < width) out[blockIdx.z * size + (size_t)(top + row) * width + left + column] = sum;
  }
}

// The gradient of the maps, and a block's part of the taps' gradients.
extern "C" __global__ void __launch_bounds__(CONVOLVE_THREADS) convolve_maps_backward(
    const float* __restrict__ maps, const float* __restrict__ taps, const float* __restrict__ gradient, float* __restrict__ gmaps,
    float* __restrict__ partials, int height, int width) {
  __shared__ float tiles[2][AREA], weights[98], given[AREA], halves[196];
  const int tid = threadIdx.x, top = blockIdx.y * TILE_SIDE, left = blockIdx.x * TILE_SIDE;
  const size_t size = (size_t)height * width;
  for (int m = 0; m < 2; ++m) load_tile(tiles[m], maps + (2 * (size_t)blockIdx.z + m) * size, top, left, height, width);
  load_tile(given, gradient + blockIdx.z * size, top, left, height, width);
  if (tid < 98) weights[tid] = taps[tid];
  __syncthreads();
  for (int k = 0; k < TILE_SIDE * TILE_SIDE / CONVOLVE_THREADS; ++k) {
    const int row = tid / TILE_SIDE + 8 * k, column = tid % TILE_SIDE;
    float sums[2] = {};
#pragma unroll
    for (int i = 0; i < 49; ++i) {
      const float g = given[(row + 6 - i / 7) * HALO_SIDE + column + 6 - i % 7];
      sums[0] = fmaf(weights[i], g, sums[0]);
      sums[1] = fmaf(weights[49 + i], g, sums[1]);
    }
    if (top + row >= height || left + column >= width) continue;
    float* place = gmaps + 2 * blockIdx.z * size + (size_t)(top + row) * width + left + column;
    place[0] = sums[0];
    place[size] = sums[1];
  }
  if (tid < 196) {  // two threads a tap, every second row each
    const int tap = tid / 2;
    const float* from = tiles[tap / 49] + tap % 49 / 7 * HALO_SIDE + tap % 7;
    float sum = 0.f;
    for (int row = tid % 2; row < TILE_SIDE; row += 2)
#pragma unroll 8
      for (int column = 0; column < TILE_SIDE; ++column)
        sum = fmaf(given[(row + 3) * HALO_SIDE + column + 3], from[row * HALO_SIDE + column], sum);
    halves[tid] = sum;
  }
  __syncthreads();
  const size_t block = ((size_t)blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  if (tid < 98) partials[block * 98 + tid] = halves[2 * tid] + halves[2 * tid + 1];
}
