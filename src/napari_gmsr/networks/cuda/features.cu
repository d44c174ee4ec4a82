// What the kernels of one Gradient Mamba block share, the block's expansion of the picture, and its path into the scan.
//
// Compiled for the block's number of channels WIDTH (at most 32) and, for `fuse`, the next block's NEXT, 0 after the last. Features lie
// channel-last. Where features are multiplied with weights, a column of ones follows them, whose weights are the bias.

constexpr int EXPANDED = 2 * WIDTH;
constexpr int DEPTH = WIDTH / 8 + 1;               // columns / 8 of a pixel's channels, the one and padding
constexpr int FEATURES = 8 * DEPTH + 4;            // floats a row; the surplus keeps lanes on different banks
constexpr int EXPANDED_TILES = (EXPANDED + 7) / 8;
constexpr int EXPANDED_SLICES = (EXPANDED + 31) / 32;

// The first 1x1 convolution, from the picture's three planes.
extern "C" __global__ void __launch_bounds__(256) expand(
    const float* __restrict__ rgb, const float* __restrict__ weights, float* __restrict__ a, int pixels) {
  const int image = blockIdx.y;
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int pixel = i / 8;
  if (pixel >= pixels) return;
  const float* from = rgb + (size_t)image * 3 * pixels + pixel;
  const float red = from[0], green = from[pixels], blue = from[2 * (size_t)pixels];
  float* to = a + ((size_t)image * pixels + pixel) * WIDTH;
  for (int channel = i % 8; channel < WIDTH; channel += 8) {
    const float* w = weights + 3 * channel;
    to[channel] = fmaf(w[0], red, fmaf(w[1], green, w[2] * blue));
  }
}

// LayerNorm, input projection (the half that is scanned), depthwise 3x3 convolution, SiLU. A block makes TALL x WIDE pixels; it
// projects them with a margin of one, 32 channels at a time. Outside the picture the features and the ones are zero.
constexpr int TALL = 8, WIDE = 16;
constexpr int MARGINED = (TALL + 2) * (WIDE + 2), ROWS = (MARGINED + 15) / 16 * 16;
constexpr int FILTER_THREADS = 128;
constexpr int SLICE = 36;  // floats a row of 32 channels

extern "C" __global__ void __launch_bounds__(FILTER_THREADS) filter(
    const float* __restrict__ a, const float4* __restrict__ weights, const float* __restrict__ filters, float* __restrict__ x,
    int height, int width, float eps) {
  extern __shared__ float4 shared[];
  float* normed = (float*)shared;           // [ROWS][FEATURES]
  float* slice = normed + ROWS * FEATURES;  // [ROWS][SLICE]
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const int top = blockIdx.y * TALL, left = blockIdx.x * WIDE;
  const size_t first = (size_t)blockIdx.z * height * width;

  for (int i = tid / 8; i < ROWS; i += FILTER_THREADS / 8) {
    const int row = top - 1 + i / (WIDE + 2), column = left - 1 + i % (WIDE + 2);
    const bool inside = i < MARGINED && row >= 0 && row < height && column >= 0 && column < width;
    const float* from = a + (first + (size_t)row * width + column) * WIDTH;
    float v[DEPTH];
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
      const int channel = 8 * k + tid % 8;
      v[k] = inside && channel < WIDTH ? from[channel] : 0.f;
    }
    const float2 m = moments<WIDTH>(v, eps);
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
      const int channel = 8 * k + tid % 8;
      float value = channel < WIDTH ? (v[k] - m.x) * m.y : channel == WIDTH;
      normed[i * FEATURES + channel] = inside ? value : 0.f;
    }
  }
  for (int start = 0; start < EXPANDED; start += 32) {
    __syncthreads();
    for (int tile = warp; tile < ROWS / 16; tile += FILTER_THREADS / 32) {
      float sums[4][4] = {};
      const float* from = normed + (16 * tile + lane / 4) * FEATURES;
      multiply<DEPTH, 4, EXPANDED_SLICES * 4>(
          sums, weights + start / 8 * 32, [&](int half, int column) { return from[half * 8 * FEATURES + column]; });
      float* to = slice + (16 * tile + lane / 4) * SLICE + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        *(float2*)(to + 8 * j) = make_float2(sums[j][0], sums[j][1]);
        *(float2*)(to + 8 * SLICE + 8 * j) = make_float2(sums[j][2], sums[j][3]);
      }
    }
    __syncthreads();
    const int channel = start + lane;
    float taps[10];
#pragma unroll
    for (int i = 0; i < 10; ++i) taps[i] = channel < EXPANDED ? filters[i * EXPANDED + channel] : 0.f;
    for (int r = warp; r < TALL; r += FILTER_THREADS / 32) {
      const float* from = slice + r * (WIDE + 2) * SLICE + lane;
      float* to = x + (first + (size_t)(top + r) * width + left) * EXPANDED + channel;
      const bool real = top + r < height && channel < EXPANDED;
      float window[3][3];
#pragma unroll
      for (int column = 0; column < WIDE + 2; ++column) {
#pragma unroll
        for (int i = 0; i < 3; ++i) window[i][column % 3] = from[(i * (WIDE + 2) + column) * SLICE];
        if (column < 2) continue;
        float sum = taps[9];
#pragma unroll
        for (int i = 0; i < 9; ++i) sum = fmaf(taps[i], window[i / 3][(column - 2 + i % 3) % 3], sum);
        if (real && left + column - 2 < width) to[(size_t)(column - 2) * EXPANDED] = silu(sum);
      }
    }
  }
}
