// Depthwise 3x3 convolution of CHANNELS channels, zero outside the picture, and SiLU, with the gradient. The pixels of x lie `stride`
// floats apart. A thread keeps to one channel; `filters` are nine rows of taps, then the bias.

constexpr int ABREAST = CHANNELS < 256 ? 256 / CHANNELS : 1;  // pixels that a block works on at a time
constexpr int CONVOLVERS = ABREAST * CHANNELS;
constexpr int RUN = 16;                                       // pixels that a thread works on, one after another

template <typename Each>
__device__ __forceinline__ void each_pixel(int total, int height, int width, Each each) {
  const int slot = threadIdx.x / CHANNELS;
  for (int i = 0; i < RUN; ++i) {
    const int pixel = (blockIdx.x * RUN + i) * ABREAST + slot;
    if (pixel >= total) return;
    each(pixel, pixel / width % height, pixel % width);
  }
}

// Visit the 3x3 neighbours inside the picture: number of the tap, pixel.
template <typename Each>
__device__ __forceinline__ void each_neighbour(int pixel, int row, int column, int height, int width, Each each) {
#pragma unroll
  for (int i = 0; i < 9; ++i) {
    const int r = row + i / 3 - 1, c = column + i % 3 - 1;
    if (r >= 0 && r < height && c >= 0 && c < width) each(i, pixel + (i / 3 - 1) * width + i % 3 - 1);
  }
}

extern "C" __global__ void __launch_bounds__(CONVOLVERS) depthwise(
    const float* __restrict__ x, int stride, const float* __restrict__ filters, float* __restrict__ out, int total, int height,
    int width) {
  const int channel = threadIdx.x % CHANNELS;
  float taps[10];
#pragma unroll
  for (int i = 0; i < 10; ++i) taps[i] = filters[i * CHANNELS + channel];
  each_pixel(total, height, width, [&](int pixel, int row, int column) {
    float sum = taps[9];
    each_neighbour(pixel, row, column, height, width, [&](int i, int at) {
      sum = fmaf(taps[i], x[(size_t)at * stride + channel], sum);
    });
    out[(size_t)pixel * CHANNELS + channel] = silu(sum);
  });
}

// The gradient before SiLU, and a block's part of the filters' gradients.
extern "C" __global__ void __launch_bounds__(CONVOLVERS) depthwise_backward(
    const float* __restrict__ x, int stride, const float* __restrict__ filters, const float* __restrict__ gradient,
    float* __restrict__ gsum, float* __restrict__ partials, int total, int height, int width) {
  __shared__ float gathered[CONVOLVERS];
  const int channel = threadIdx.x % CHANNELS;
  float taps[10], gtaps[10] = {};
#pragma unroll
  for (int i = 0; i < 10; ++i) taps[i] = filters[i * CHANNELS + channel];
  each_pixel(total, height, width, [&](int pixel, int row, int column) {
    float values[9] = {}, sum = taps[9];
    each_neighbour(pixel, row, column, height, width, [&](int i, int at) {
      values[i] = x[(size_t)at * stride + channel];
      sum = fmaf(taps[i], values[i], sum);
    });
    const float s = sigmoid(sum);
    const float g = gradient[(size_t)pixel * CHANNELS + channel] * s * fmaf(sum, 1.f - s, 1.f);
    gsum[(size_t)pixel * CHANNELS + channel] = g;
#pragma unroll
    for (int i = 0; i < 9; ++i) gtaps[i] = fmaf(g, values[i], gtaps[i]);
    gtaps[9] += g;
  });
#pragma unroll
  for (int i = 0; i < 10; ++i) {
    __syncthreads();
    gathered[threadIdx.x] = gtaps[i];
    __syncthreads();
    if (threadIdx.x >= CHANNELS) continue;
    float sum = 0.f;
    for (int k = channel; k < CONVOLVERS; k += CHANNELS) sum += gathered[k];
    partials[((size_t)blockIdx.x * 10 + i) * CHANNELS + channel] = sum;
  }
}

// The gradient of x.
extern "C" __global__ void __launch_bounds__(CONVOLVERS) depthwise_transposed(
    const float* __restrict__ gsum, const float* __restrict__ filters, float* __restrict__ gx, int total, int height, int width) {
  const int channel = threadIdx.x % CHANNELS;
  float taps[9];
#pragma unroll
  for (int i = 0; i < 9; ++i) taps[i] = filters[i * CHANNELS + channel];
  each_pixel(total, height, width, [&](int pixel, int row, int column) {
    float sum = 0.f;
    each_neighbour(pixel, row, column, height, width, [&](int i, int at) {
      sum = fmaf(taps[8 - i], gsum[(size_t)at * CHANNELS + channel], sum);
    });
    gx[(size_t)pixel * CHANNELS + channel] = sum;
  });
}
