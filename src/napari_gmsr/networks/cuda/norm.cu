// LayerNorm over the CHANNELS channels of a pixel, with its gradient; where GATED, times SiLU of a gate z whose pixels lie `stride` floats
// apart. Eight lanes hold a pixel.

constexpr int HELD = (CHANNELS + 7) / 8;
constexpr int NORM_THREADS = 256;

extern "C" __global__ void __launch_bounds__(NORM_THREADS) normalise(
    const float* __restrict__ x, const float* __restrict__ z, int stride, const float* __restrict__ scale,
    const float* __restrict__ shift, float* __restrict__ out, int pixels, float eps) {
  const int first = threadIdx.x % 8;
  for (int pixel = (blockIdx.x * NORM_THREADS + threadIdx.x) / 8; pixel < (pixels + 3) / 4 * 4; pixel += gridDim.x * NORM_THREADS / 8) {
    const int real = min(pixel, pixels - 1);
    float v[HELD];
#pragma unroll
    for (int i = 0; i < HELD; ++i) v[i] = 8 * i + first < CHANNELS ? x[(size_t)real * CHANNELS + 8 * i + first] : 0.f;
    const float2 m = moments<CHANNELS>(v, eps);
#pragma unroll
    for (int i = 0; i < HELD; ++i) {
      const int channel = 8 * i + first;
      if (channel >= CHANNELS || pixel >= pixels) continue;
      float result = fmaf((v[i] - m.x) * m.y, scale[channel], shift[channel]);
      if (GATED) result *= silu(z[(size_t)pixel * stride + channel]);
      out[(size_t)pixel * CHANNELS + channel] = result;
    }
  }
}

// Gradients of x and of z; of scale and shift a block's part each.
extern "C" __global__ void __launch_bounds__(NORM_THREADS) normalise_backward(
    const float* __restrict__ x, const float* __restrict__ z, int stride, const float* __restrict__ scale,
    const float* __restrict__ shift, const float* __restrict__ gradient, float* __restrict__ gx, float* __restrict__ gz,
    float* __restrict__ partials, int pixels, float eps) {
  __shared__ float gathered[NORM_THREADS / 8][8 * HELD];
  const int first = threadIdx.x % 8;
  float gscale[HELD] = {}, gshift[HELD] = {};
  for (int pixel = (blockIdx.x * NORM_THREADS + threadIdx.x) / 8; pixel < (pixels + 3) / 4 * 4; pixel += gridDim.x * NORM_THREADS / 8) {
    const int real = min(pixel, pixels - 1);
    float v[HELD], g[HELD];
#pragma unroll
    for (int i = 0; i < HELD; ++i) v[i] = 8 * i + first < CHANNELS ? x[(size_t)real * CHANNELS + 8 * i + first] : 0.f;
    const float2 m = moments<CHANNELS>(v, eps);
    float sum = 0.f, product = 0.f;
#pragma unroll
    for (int i = 0; i < HELD; ++i) {
      const int channel = 8 * i + first;
      g[i] = 0.f;
      v[i] = (v[i] - m.x) * m.y;
      if (channel >= CHANNELS || pixel >= pixels) continue;
      g[i] = gradient[(size_t)pixel * CHANNELS + channel];
      if (GATED) {
        const float w = z[(size_t)pixel * stride + channel], s = sigmoid(w);
        gz[(size_t)pixel * CHANNELS + channel] = g[i] * fmaf(v[i], scale[channel], shift[channel]) * s * fmaf(w, 1.f - s, 1.f);
        g[i] *= w * s;
      }
      gscale[i] = fmaf(g[i], v[i], gscale[i]);
      gshift[i] += g[i];
      g[i] *= scale[channel];
      sum += g[i];
      product = fmaf(g[i], v[i], product);
    }
    sum = sum_of_eight(sum) / CHANNELS;
    product = sum_of_eight(product) / CHANNELS;
#pragma unroll
    for (int i = 0; i < HELD; ++i) {
      const int channel = 8 * i + first;
      if (channel < CHANNELS && pixel < pixels) gx[(size_t)pixel * CHANNELS + channel] = m.y * (g[i] - sum - v[i] * product);
    }
  }
#pragma unroll
  for (int which = 0; which < 2; ++which) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < HELD; ++i) gathered[threadIdx.x / 8][8 * i + first] = which ? gshift[i] : gscale[i];
    __syncthreads();
    for (int channel = threadIdx.x; channel < CHANNELS; channel += NORM_THREADS) {
      float sum = 0.f;
      for (int i = 0; i < NORM_THREADS / 8; ++i) sum += gathered[i][channel];
      partials[(blockIdx.x * 2 + which) * CHANNELS + channel] = sum;
    }
  }
}
