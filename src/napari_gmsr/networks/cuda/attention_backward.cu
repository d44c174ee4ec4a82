// Gradient of what `gradients` makes. A maximum or minimum passes its gradient to all that attain it, in equal shares; `count_ties`
// says how many there are, and leaves each pixel's share of its own two maps.
//
// Extremes and their gradients, for each picture: the spatial gradients' low and high, the spectral ones', then each channel's high.

constexpr int EXTREMES = 4 + DIFFERENCES;

extern "C" __global__ void __launch_bounds__(256) count_ties(
    const float* __restrict__ a, const float2* __restrict__ maps, const float* __restrict__ extremes, const float2* __restrict__ gmaps,
    float2* __restrict__ shares, int* counts, int height, int width) {
  const int pixel = blockIdx.x * 256 + threadIdx.x;
  if (pixel >= height * width) return;
  const int row = pixel / width, column = pixel - row * width;
  const size_t first = (size_t)blockIdx.y * height * width;
  const float* picture = a + first * WIDTH;
  const float* here = picture + (size_t)pixel * WIDTH;
  const float* extreme = extremes + blockIdx.y * EXTREMES;
  int* count = counts + blockIdx.y * EXTREMES;
  const float highest = maps[first + pixel].y;
  int ties = 0, lows = 0, highs = 0, spectral_lows = 0, spectral_highs = 0;
  for (int channel = 0; channel < WIDTH; ++channel) {
    const float v = here[channel];
    const float dx = column + 1 < width ? here[WIDTH + channel] - v
                                        : last_difference(picture + (size_t)row * width * WIDTH + channel, WIDTH, width);
    const float dy = row + 1 < height ? here[(size_t)width * WIDTH + channel] - v
                                      : last_difference(picture + column * WIDTH + channel, (size_t)width * WIDTH, height);
    ties += (dx == highest) + (dy == highest);
    lows += (dx == extreme[0]) + (dy == extreme[0]);
    highs += (dx == extreme[1]) + (dy == extreme[1]);
    if (channel < DIFFERENCES) {
      const float difference = here[channel + 1] - v;
      spectral_lows += difference == extreme[2];
      spectral_highs += difference == extreme[3];
      if (difference == extreme[4 + channel]) atomicAdd(count + 4 + channel, 1);
    }
  }
  if (lows) atomicAdd(count, lows);
  if (highs) atomicAdd(count + 1, highs);
  if (spectral_lows) atomicAdd(count + 2, spectral_lows);
  if (spectral_highs) atomicAdd(count + 3, spectral_highs);
  const float2 g = gmaps[first + pixel];
  shares[first + pixel] = make_float2(g.x / (2 * WIDTH), g.y / ties);
}

// `gextremes` are shared out already.
extern "C" __global__ void __launch_bounds__(256) gradients_backward(
    const float* __restrict__ a, const float2* __restrict__ maps, const float2* __restrict__ shares,
    const float* __restrict__ extremes, const float* __restrict__ gextremes, const float* __restrict__ gsums, float* __restrict__ ga,
    int height, int width) {
  const int pixel = (blockIdx.x * 256 + threadIdx.x) / 8;
  if (pixel >= height * width) return;
  const int row = pixel / width, column = pixel - row * width;
  const size_t first = (size_t)blockIdx.y * height * width;
  const float* extreme = extremes + blockIdx.y * EXTREMES;
  const float* gextreme = gextremes + blockIdx.y * EXTREMES;
  for (int channel = threadIdx.x % 8; channel < WIDTH; channel += 8) {
    const float* plane = a + first * WIDTH + channel;
    // What the pixel `at` passes on to its difference.
    auto passed = [&](size_t at, float difference) {
      const float2 share = shares[first + at];
      float g = share.x;
      if (difference == maps[first + at].y) g += share.y;
      if (difference == extreme[0]) g += gextreme[0];
      if (difference == extreme[1]) g += gextreme[1];
      return g;
    };
    // The gradient of the difference number `index` along a line, which the line's last pixel may repeat.
    auto along = [&](size_t start, size_t stride, int index, int count) {
      if (index < 0 || index > count - 2) return 0.f;
      const size_t at = start + index * stride;
      const float difference = plane[(at + stride) * WIDTH] - plane[at * WIDTH];
      float g = passed(at, difference);
      if (index == (count > 3 ? count - 3 : 0)) g += passed(start + (count - 1) * stride, difference);
      return g;
    };
    const size_t line = (size_t)row * width;
    float g = along(line, 1, column - 1, width) - along(line, 1, column, width);
    g += along(column, width, row - 1, height) - along(column, width, row, height);
    auto across = [&](int index) {
      if (index < 0 || index >= DIFFERENCES) return 0.f;
      const float* at = a + (first + pixel) * WIDTH + index;
      const float difference = at[1] - at[0];
      float g = gsums[blockIdx.y * DIFFERENCES + index];
      if (difference == extreme[2]) g += gextreme[2];
      if (difference == extreme[3]) g += gextreme[3];
      if (difference == extreme[4 + index]) g += gextreme[4 + index];
      return g;
    };
    ga[(first + pixel) * WIDTH + channel] = g + across(channel - 1) - across(channel);
  }
}
