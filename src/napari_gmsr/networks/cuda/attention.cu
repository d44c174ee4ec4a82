// Both gradient attentions up to their gates. Mean and maximum commute with the min-max normalisation, so that one pass over the
// features makes the maps and what the statistics need; no gradient is stored.

constexpr int SIDE = 16;                                   // of a block's tile
constexpr int ODD = WIDTH | 1;                             // floats a pixel in shared memory, so that lanes are on different banks
constexpr int PARTIALS = 3 + 2 * WIDTH;                    // lows of both gradients, the spatial one's high, sums, highs
constexpr int DIFFERENCES = WIDTH - 1;
constexpr float LIMIT = 3.4e38f;                           // more than any difference

// The difference from a pixel to the next along an axis, of `position` among `count`. At the end reflection repeats the third last one.
__device__ __forceinline__ float last_difference(const float* line, size_t stride, int count) {
  if (count == 1) return 0.f;
  const int from = count > 3 ? count - 3 : 0;
  return line[(from + 1) * stride] - line[from * stride];
}

// Mean and maximum of the spatial gradients, not yet normalised, for every pixel; the statistics of both gradients for every block.
extern "C" __global__ void __launch_bounds__(SIDE * SIDE) gradients(
    const float* __restrict__ a, float2* __restrict__ maps, float* __restrict__ partials, int height, int width) {
  extern __shared__ float4 shared[];
  float* tile = (float*)shared;  // [SIDE + 1][SIDE + 1][ODD]
  __shared__ float gathered[3][8][32];
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const size_t first = (size_t)blockIdx.y * height * width;
  const float* picture = a + first * WIDTH;
  const int across = (width + SIDE - 1) / SIDE, tiles = across * ((height + SIDE - 1) / SIDE);
  float low = LIMIT, high = -LIMIT, spectral_low = LIMIT, spectral_high = -LIMIT, sum = 0.f;

  for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
    const int top = t / across * SIDE, left = t % across * SIDE;
    __syncthreads();
    for (int row = 0; row <= SIDE; ++row) {
      if (top + row >= height) break;
      const int count = min(SIDE + 1, width - left) * WIDTH;
      const float* from = picture + ((size_t)(top + row) * width + left) * WIDTH;
      for (int i = tid; i < count; i += SIDE * SIDE) tile[(row * (SIDE + 1) + i / WIDTH) * ODD + i % WIDTH] = from[i];
    }
    __syncthreads();
    const int row = top + tid / SIDE, column = left + tid % SIDE;
    if (row < height && column < width) {
      const float* here = tile + (tid / SIDE * (SIDE + 1) + tid % SIDE) * ODD;
      const float* line = picture + (size_t)row * width * WIDTH;
      float total = 0.f, highest = -LIMIT;
      for (int channel = 0; channel < WIDTH; ++channel) {
        const float v = here[channel];
        const float dx = column + 1 < width ? here[ODD + channel] - v : last_difference(line + channel, WIDTH, width);
        const float dy = row + 1 < height ? here[(SIDE + 1) * ODD + channel] - v
                                          : last_difference(picture + column * WIDTH + channel, (size_t)width * WIDTH, height);
        total += dx + dy;
        highest = fmaxf(highest, fmaxf(dx, dy));
        low = fminf(low, fminf(dx, dy));
      }
      high = fmaxf(high, highest);
      maps[first + (size_t)row * width + column] = make_float2(total / (2 * WIDTH), highest);
    }
    if (lane < DIFFERENCES)  // a lane is a channel
      for (int i = warp; i < SIDE * SIDE; i += 8) {
        if (top + i / SIDE >= height || left + i % SIDE >= width) continue;
        const float* pixel = tile + (i / SIDE * (SIDE + 1) + i % SIDE) * ODD + lane;
        const float v = pixel[1] - pixel[0];
        sum += v;
        spectral_low = fminf(spectral_low, v);
        spectral_high = fmaxf(spectral_high, v);
      }
  }
  gathered[0][warp][lane] = low;
  gathered[1][warp][lane] = high;
  gathered[2][warp][lane] = spectral_low;
  __syncthreads();
  float* out = partials + ((size_t)blockIdx.y * gridDim.x + blockIdx.x) * PARTIALS;
  if (warp < 3) {
    float v = gathered[warp][0][lane];
    for (int i = 1; i < 8; ++i) {
      const float other = gathered[warp][i][lane];
      v = warp == 1 ? fmaxf(v, other) : fminf(v, other);
    }
    for (int mask = 1; mask < 32; mask *= 2) {
      const float other = exchange(v, mask);
      v = warp == 1 ? fmaxf(v, other) : fminf(v, other);
    }
    if (lane == 0) out[warp] = v;
  }
  __syncthreads();
  gathered[0][warp][lane] = sum;
  gathered[1][warp][lane] = spectral_high;
  __syncthreads();
  if (warp < 2 && lane < DIFFERENCES) {
    float v = gathered[warp][0][lane];
    for (int i = 1; i < 8; ++i) v = warp == 0 ? v + gathered[0][i][lane] : fmaxf(v, gathered[1][i][lane]);
    out[3 + warp * WIDTH + lane] = v;
  }
}

// From the blocks' statistics the range of the spatial gradients (low, high - low + 1e-8) and the spectral gate, followed by ones.
constexpr int GATES = 2 + 8 * DEPTH;

extern "C" __global__ void __launch_bounds__(512) spectral_gate(
    const float* __restrict__ partials, int blocks, float pixels, const float* __restrict__ first, const float* __restrict__ second,
    float* __restrict__ gates) {
  __shared__ double statistics[PARTIALS];
  __shared__ float pooled[2][WIDTH], hidden[2][WIDTH];
  const int tid = threadIdx.x, lane = tid % 32;
  const float* from = partials + (size_t)blockIdx.x * blocks * PARTIALS;
  float* out = gates + blockIdx.x * GATES;
  for (int s = tid / 32; s < PARTIALS; s += 16) {
    const bool sums = s >= 3 && s < 3 + WIDTH, highs = s == 1 || s >= 3 + WIDTH;
    const bool unused = s == 2 + WIDTH || s == PARTIALS - 1;  // one difference fewer than channels
    double value = sums ? 0 : highs ? -LIMIT : LIMIT;
    for (int i = lane; i < blocks && !unused; i += 32) {
      const double v = from[(size_t)i * PARTIALS + s];
      value = sums ? value + v : highs ? fmax(value, v) : fmin(value, v);
    }
    for (int mask = 1; mask < 32; mask *= 2) {
      const float high = (float)value, low = (float)(value - high);
      const double other = (double)exchange(high, mask) + exchange(low, mask);
      value = sums ? value + other : highs ? fmax(value, other) : fmin(value, other);
    }
    if (lane == 0) statistics[s] = value;
  }
  __syncthreads();
  if (tid < WIDTH) {
    const int channel = min(tid, DIFFERENCES - 1);  // the last difference is doubled
    double highest = statistics[3 + WIDTH];
    for (int i = 1; i < DIFFERENCES; ++i) highest = fmax(highest, statistics[3 + WIDTH + i]);
    const double scale = 1 / (highest - statistics[2] + 1e-8);
    pooled[0][tid] = (float)((statistics[3 + channel] / pixels - statistics[2]) * scale);
    pooled[1][tid] = (float)((statistics[3 + WIDTH + channel] - statistics[2]) * scale);
  }
  __syncthreads();
  for (int i = tid; i < 2 * WIDTH; i += 512) {
    float v = 0.f;
    for (int k = 0; k < WIDTH; ++k) v = fmaf(first[i % WIDTH * WIDTH + k], pooled[i / WIDTH][k], v);
    hidden[i / WIDTH][i % WIDTH] = fmaxf(v, 0.f);
  }
  __syncthreads();
  if (tid < 8 * DEPTH) {
    float v[2] = {};
    if (tid < WIDTH)
      for (int k = 0; k < WIDTH; ++k)
        for (int i = 0; i < 2; ++i) v[i] = fmaf(second[tid * WIDTH + k], hidden[i][k], v[i]);
    out[2 + tid] = tid < WIDTH ? sigmoid(sigmoid(v[0]) + sigmoid(v[1])) : 1.f;
  }
  if (tid == 0) {
    out[0] = (float)statistics[0];
    out[1] = (float)(statistics[1] - statistics[0] + 1e-8);
  }
}

// The spatial gate: 7x7 convolution of both normalised maps, which are zero outside the picture, and a sigmoid.
constexpr int GATE_WIDE = 32, GATE_TALL = 8;

extern "C" __global__ void __launch_bounds__(GATE_WIDE * GATE_TALL) spatial_gate(
    const float2* __restrict__ maps, const float* __restrict__ gates, const float* __restrict__ taps, float* __restrict__ gate,
    int height, int width) {
  __shared__ float2 tile[GATE_TALL + 6][GATE_WIDE + 6];
  __shared__ float2 weights[49];
  const int tid = threadIdx.x;
  const int top = blockIdx.y * GATE_TALL, left = blockIdx.x * GATE_WIDE;
  const size_t first = (size_t)blockIdx.z * height * width;
  const float low = gates[blockIdx.z * GATES], range = gates[blockIdx.z * GATES + 1];
  if (tid < 49) weights[tid] = make_float2(taps[tid], taps[49 + tid]);
  for (int i = tid; i < (GATE_TALL + 6) * (GATE_WIDE + 6); i += GATE_WIDE * GATE_TALL) {
    const int r = i / (GATE_WIDE + 6), c = i % (GATE_WIDE + 6);
    const int row = top + r - 3, column = left + c - 3;
    float2 v = make_float2(0.f, 0.f);
    if (row >= 0 && row < height && column >= 0 && column < width) {
      v = maps[first + (size_t)row * width + column];
      v = make_float2((v.x - low) / range, (v.y - low) / range);
    }
    tile[r][c] = v;
  }
  __syncthreads();
  const int r = tid / GATE_WIDE, c = tid % GATE_WIDE;
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < 49; ++i) {
    const float2 v = tile[r + i / 7][c + i % 7], w = weights[i];
    sum = fmaf(w.x, v.x, fmaf(w.y, v.y, sum));
  }
  if (top + r < height && left + c < width) gate[first + (size_t)(top + r) * width + left + c] = sigmoid(sum);
}
