// The end of a block: a + GELU(fusion of the gated scan and both attentions), and the next block's expansion or the cube's planes.
//
// The output projection is part of the fusion's weights. The gate branch z is computed again from a. A warp works on sixteen pixels at a
// time; a block's warps share the weights in shared memory.

constexpr int WIDTH_TILES = (WIDTH + 7) / 8;
constexpr int NEXT_TILES = (NEXT + 7) / 8;
constexpr int SCANNED = (8 * EXPANDED_TILES > NEXT ? 8 * EXPANDED_TILES : 8 * NEXT_TILES) + 4;  // floats a row
constexpr int GATE_WEIGHTS = DEPTH * EXPANDED_TILES * 32, SCAN_WEIGHTS = EXPANDED_TILES * WIDTH_TILES * 32;
constexpr int BRANCH_WEIGHTS = DEPTH * WIDTH_TILES * 32, NEXT_WEIGHTS = DEPTH * NEXT_TILES * 32;
constexpr int FUSE_WEIGHTS = GATE_WEIGHTS + SCAN_WEIGHTS + 2 * BRANCH_WEIGHTS + NEXT_WEIGHTS;

__device__ __forceinline__ float gelu(float v) { return 0.5f * v * (1.f + erff(v * 0.70710678118654752f)); }

extern "C" __global__ void __launch_bounds__(32 * FUSE_WARPS, FUSE_BLOCKS) fuse(
    const float* __restrict__ a, const float* __restrict__ y, const float* __restrict__ spatial, const float* __restrict__ gates,
    const float4* __restrict__ packed, const float* __restrict__ norm, float* __restrict__ out, int pixels, float eps,
    float scan_eps) {
  extern __shared__ float4 shared[];
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const int row = lane / 4, quad = lane % 4;
  const float4* gate_weights = shared;
  const float4* scan_weights = gate_weights + GATE_WEIGHTS;
  const float4* spatial_weights = scan_weights + SCAN_WEIGHTS;
  const float4* spectral_weights = spatial_weights + BRANCH_WEIGHTS;
  const float4* next_weights = spectral_weights + BRANCH_WEIGHTS;
  float* scale = (float*)(shared + FUSE_WEIGHTS);         // [2][8 * EXPANDED_TILES]: LayerNorm's scale and shift
  float* spectral = scale + 16 * EXPANDED_TILES;          // [8 * DEPTH]
  float* features = spectral + 8 * DEPTH + warp * 16 * (FEATURES + SCANNED);  // [16][FEATURES]: a, then the result
  float* scanned = features + 16 * FEATURES;              // [16][SCANNED]: y, then the gated scan
  const size_t first = (size_t)blockIdx.y * pixels;
  for (int i = tid; i < FUSE_WEIGHTS; i += 32 * FUSE_WARPS) shared[i] = packed[i];
  for (int i = tid; i < 16 * EXPANDED_TILES; i += 32 * FUSE_WARPS) scale[i] = norm[i];
  for (int i = tid; i < 8 * DEPTH; i += 32 * FUSE_WARPS) spectral[i] = gates[blockIdx.y * (2 + 8 * DEPTH) + 2 + i];
  __syncthreads();

  for (int tile = blockIdx.x * FUSE_WARPS + warp; tile < (pixels + 15) / 16; tile += gridDim.x * FUSE_WARPS) {
    // Eight lanes load and normalise a pixel.
    float2 normed[2];  // mean and reciprocal deviation of a, of this lane's two rows
    float2 own[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int r = 4 * k + lane / 8, pixel = min(16 * tile + r, pixels - 1);
      const float* from = a + (first + pixel) * WIDTH;
      float v[DEPTH];
#pragma unroll
      for (int i = 0; i < DEPTH; ++i) {
        const int channel = 8 * i + lane % 8;
        v[i] = channel < WIDTH ? from[channel] : 0.f;
        features[r * FEATURES + channel] = channel == WIDTH ? 1.f : v[i];
      }
      own[k] = moments<WIDTH>(v, eps);
      const float* scan = y + (first + pixel) * EXPANDED;
      float u[EXPANDED_TILES];
#pragma unroll
      for (int i = 0; i < EXPANDED_TILES; ++i) {
        const int channel = 8 * i + lane % 8;
        u[i] = channel < EXPANDED ? scan[channel] : 0.f;
      }
      const float2 m = moments<EXPANDED>(u, scan_eps);
#pragma unroll
      for (int i = 0; i < EXPANDED_TILES; ++i) {
        const int channel = 8 * i + lane % 8;
        scanned[r * SCANNED + channel] = fmaf((u[i] - m.x) * m.y, scale[channel], scale[8 * EXPANDED_TILES + channel]);
      }
      // The moments of row r go to the lanes that multiply it.
      scanned[r * SCANNED + 8 * EXPANDED_TILES + lane % 2] = lane % 2 ? own[k].y : own[k].x;
    }
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float* m = scanned + (row + 8 * half) * SCANNED + 8 * EXPANDED_TILES;
      normed[half] = make_float2(m[0], m[1]);
    }
    float z[EXPANDED_TILES][4] = {};
    multiply<DEPTH, EXPANDED_TILES>(z, gate_weights, [&](int half, int column) {
      const float v = features[(row + 8 * half) * FEATURES + column];
      return column < WIDTH ? (v - normed[half].x) * normed[half].y : v;
    });
#pragma unroll
    for (int j = 0; j < EXPANDED_TILES; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float2* place = (float2*)(scanned + (row + 8 * half) * SCANNED + 8 * j + 2 * quad);
        const float2 v = *place;
        *place = make_float2(v.x * silu(z[j][2 * half]), v.y * silu(z[j][2 * half + 1]));
      }
    __syncwarp();
    float sums[WIDTH_TILES][4] = {}, attended[WIDTH_TILES][4] = {};
    multiply<DEPTH, WIDTH_TILES>(
        attended, spatial_weights, [&](int half, int column) { return features[(row + 8 * half) * FEATURES + column]; });
    multiply<EXPANDED_TILES, WIDTH_TILES>(
        sums, scan_weights, [&](int half, int column) { return scanned[(row + 8 * half) * SCANNED + column]; });
    multiply<DEPTH, WIDTH_TILES>(sums, spectral_weights, [&](int half, int column) {
      return features[(row + 8 * half) * FEATURES + column] * spectral[column];
    });
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int pixel = 16 * tile + row + 8 * half;
      const float gate = spatial[first + min(pixel, pixels - 1)];
#pragma unroll
      for (int j = 0; j < WIDTH_TILES; ++j)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int channel = 8 * j + 2 * quad + i;
          if (channel >= WIDTH) continue;
          float* place = features + (row + 8 * half) * FEATURES + channel;
          const float result = *place + gelu(fmaf(gate, attended[j][2 * half + i], sums[j][2 * half + i]));
          if (NEXT) {
            *place = result;
          } else if (pixel < pixels) {
            out[(first * WIDTH + (size_t)channel * pixels) + pixel] = result;
          }
        }
    }
#if NEXT
    __syncwarp();
    float expanded[NEXT_TILES][4] = {};
    multiply<DEPTH, NEXT_TILES>(
        expanded, next_weights, [&](int half, int column) { return features[(row + 8 * half) * FEATURES + column]; });
    // Sixteen pixels lie together in memory.
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < NEXT_TILES; ++j)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int channel = 8 * j + 2 * quad + i;
          if (channel < NEXT) scanned[(row + 8 * half) * NEXT + channel] = expanded[j][2 * half + i];
        }
    __syncwarp();
    const int count = min(16, pixels - 16 * tile) * NEXT;
    for (int i = lane; i < count; i += 32) out[(first + 16 * tile) * NEXT + i] = scanned[i];
#endif
    __syncwarp();
  }
}
