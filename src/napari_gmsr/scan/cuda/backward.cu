// Backward: `adjoint_summarise` (each chunk's end state, and what its outputs' gradients send to the chunk before), `carry` for
// both, then `backward`. Nothing but x, the weights and the gradient of y is needed; states are computed anew.

using SummaryTile = Tile<SUMMARY_GROUPS, SUMMARY_PAIRS>;
using BackwardTile = Tile<BACKWARD_GROUPS, BACKWARD_PAIRS>;

// A chunk is one tile. The adjoint state before the chunk, started at zero after it, is a sum over its steps of
// (product of the decays up to the step) * gradient of y * C, so both summaries come from one walk and one exponential a state.
extern "C" __global__ void __launch_bounds__(SummaryTile::THREADS) adjoint_summarise(
    const float2* __restrict__ x, const float2* __restrict__ gy, const float4* __restrict__ projected,
    const float* __restrict__ rates, const float* __restrict__ dt_proj, const float* __restrict__ dt_bias,
    float* __restrict__ states, float* __restrict__ sums, Walk walk) {
  extern __shared__ float4 shared[];
  SummaryTile tile;
  float2* gradient = (float2*)tile.place((char*)shared);
  const int reversed = blockIdx.y, direction = walk.columns + 2 * reversed;
  const int quarter = threadIdx.x % 4, slot = threadIdx.x / 4;
  const int group = slot / SUMMARY_PAIRS, pair = slot % SUMMARY_PAIRS;
  const int first_chunk = blockIdx.x * SUMMARY_GROUPS;
  const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, threadIdx.x % SUMMARY_PAIRS);
  float rate[8], h[8] = {}, adjoint[8] = {}, decay[8];
  load_rates(rate, rates, direction, pair, quarter);
  for (int i = 0; i < 8; ++i) decay[i] = 1.f;
  float2 time = make_float2(0.f, 0.f);

  tile.load<true>(walk, first_chunk, reversed, 0, x, projected, w, gy, gradient);
#pragma unroll 4
  for (int row = 0; row < TILE; ++row) {
    const float4 point = tile.points[row * SummaryTile::SLOTS + slot];
    const float2 g = gradient[row * SummaryTile::SLOTS + slot];
    const float4 B = tile.B(row, group, quarter), C = tile.C(row, group, quarter);
    const float b[4] = {B.x, B.y, B.z, B.w}, c[4] = {C.x, C.y, C.z, C.w};
    const float dt[2] = {point.x, point.y}, d[2] = {point.x * point.z, point.y * point.w}, dy[2] = {g.x, g.y};
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float a = exp2_fast(dt[i / 4] * rate[i]);
      h[i] = fmaf(a, h[i], d[i / 4] * b[i % 4]);
      decay[i] *= a;
      adjoint[i] = fmaf(decay[i], dy[i / 4] * c[i % 4], adjoint[i]);
    }
    time.x += point.x;
    time.y += point.y;
  }
  const int chunk = first_chunk + group;
  if (chunk < walk.total && pair < PAIRS) {
    store_states(states + state_offset(walk, reversed, chunk), h, pair, quarter);
    store_states(states + state_offset(walk, 2 + reversed, chunk), adjoint, pair, quarter);
    if (quarter == 0) ((float2*)sums)[((size_t)reversed * walk.total + chunk) * PAIRS + pair] = time;
  }
}

constexpr int STRIDE = 4;                     // steps between remembered states
constexpr int STRETCHES = TILE / STRIDE;
constexpr int LANES = 4 * REDUCED_PAIRS;      // threads over which B's and C's gradients are summed by shuffles
constexpr int PARTIALS = STATES + 2 + RANK;   // floats a channel: gradients of A, D, bias and W

// Sum eight values of each lane over the REDUCED_PAIRS lanes of equal quarter, by a transposed butterfly, and store them: B's four
// gradients, then C's four, at out[quarter * 4 ...] and out[16 + quarter * 4 ...].
__device__ __forceinline__ void reduce_projection(const float (&v)[8], float* out, int quarter) {
  const int lane = threadIdx.x;
  const bool second = lane & 4, upper = lane & 8;
  float four[4], two[2];
#pragma unroll
  for (int i = 0; i < 4; ++i) four[i] = (second ? v[4 + i] : v[i]) + exchange(second ? v[i] : v[4 + i], 4);
#pragma unroll
  for (int i = 0; i < 2; ++i) two[i] = (upper ? four[2 + i] : four[i]) + exchange(upper ? four[i] : four[2 + i], 8);
  float* place = out + (second ? 16 : 0) + 4 * quarter + (upper ? 2 : 0);
#if REDUCED_PAIRS == 8
  const bool last = lane & 16;
  place[last] = (last ? two[1] : two[0]) + exchange(last ? two[0] : two[1], 16);
#else
  *(float2*)place = make_float2(two[0], two[1]);
#endif
}

extern "C" __global__ void __launch_bounds__(BackwardTile::THREADS, BACKWARD_BLOCKS) backward(
    const float2* __restrict__ x, const float2* __restrict__ gy, const float4* __restrict__ projected,
    const float* __restrict__ rates, const float* __restrict__ dt_proj, const float* __restrict__ dt_bias,
    const float* __restrict__ skip, const float* __restrict__ states, float* gx, float* __restrict__ gprojected,
    float* __restrict__ partials, Walk walk, int rounds) {
  extern __shared__ float4 shared[];
  constexpr int THREADS = BackwardTile::THREADS, SLOTS = BackwardTile::SLOTS, GROUPS = BACKWARD_GROUPS;
  BackwardTile tile;
  float2* gradient = (float2*)tile.place((char*)shared);            // [TILE][SLOTS]: of y, then of u
  float4* remembered = (float4*)(gradient + TILE * SLOTS);          // [STRETCHES][2][THREADS]: states, then sums for B and C
  float* weights = (float*)(remembered + STRETCHES * 2 * THREADS);  // [RANK][2 * BACKWARD_PAIRS]: of dt
  const int tid = threadIdx.x;
  const int quarter = tid % 4, slot = tid / 4;
  const int group = slot / BACKWARD_PAIRS, pair = slot % BACKWARD_PAIRS;
  // For what is done point by point rather than along the chunk.
  const int column = tid % SLOTS, column_group = column / BACKWARD_PAIRS, column_pair = column % BACKWARD_PAIRS;

  for (int reversed = 0; reversed < 2; ++reversed) {
    const int direction = walk.columns + 2 * reversed;
    const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, column_pair);
    float rate[8], grate[8] = {};
    load_rates(rate, rates, direction, pair, quarter);
    float2 direct = make_float2(0.f, 0.f), gdirect = make_float2(0.f, 0.f), gbias = make_float2(0.f, 0.f);
    float2 gweight[RANK] = {};
    if (quarter == 0 && pair < PAIRS) direct = ((const float2*)skip)[direction * PAIRS + pair];
    __syncthreads();
    for (int i = tid; i < RANK * 2 * BACKWARD_PAIRS; i += THREADS) {
      const int r = i / (2 * BACKWARD_PAIRS), channel = i % (2 * BACKWARD_PAIRS);
      weights[i] = channel < CHANNELS ? dt_proj[(direction * CHANNELS + channel) * RANK + r] : 0.f;
    }

    for (int round = 0; round < rounds; ++round) {
      const int first_chunk = (blockIdx.x * rounds + round) * GROUPS, chunk = first_chunk + group;
      __syncthreads();
      tile.load<true>(walk, first_chunk, reversed, 0, x, projected, w, gy, gradient);
      float h[8] = {}, g[8] = {};
      if (chunk < walk.total && pair < PAIRS) {
        load_states(h, states + state_offset(walk, reversed, chunk), pair, quarter);
        load_states(g, states + state_offset(walk, 2 + reversed, chunk), pair, quarter);
      }

      // Forwards: remember the state before every stretch.
      for (int stretch = 0; stretch < STRETCHES; ++stretch) {
        remembered[(stretch * 2) * THREADS + tid] = make_float4(h[0], h[1], h[2], h[3]);
        remembered[(stretch * 2 + 1) * THREADS + tid] = make_float4(h[4], h[5], h[6], h[7]);
        if (stretch == STRETCHES - 1) break;
#pragma unroll
        for (int s = 0; s < STRIDE; ++s) {
          const int row = stretch * STRIDE + s;
          const float4 point = tile.points[row * SLOTS + slot];
          const float4 B = tile.B(row, group, quarter);
          const float b[4] = {B.x, B.y, B.z, B.w};
          const float dt[2] = {point.x, point.y}, d[2] = {point.x * point.z, point.y * point.w};
#pragma unroll
          for (int i = 0; i < 8; ++i) h[i] = fmaf(exp2_fast(dt[i / 4] * rate[i]), h[i], d[i / 4] * b[i % 4]);
        }
      }

      // Backwards, stretch by stretch: states anew, then their gradients. A stretch's remembered states make room for its sums.
      for (int stretch = STRETCHES - 1; stretch >= 0; --stretch) {
        float before[STRIDE][8], decay[STRIDE][8];
        const float4 low = remembered[(stretch * 2) * THREADS + tid];
        const float4 high = remembered[(stretch * 2 + 1) * THREADS + tid];
        h[0] = low.x, h[1] = low.y, h[2] = low.z, h[3] = low.w;
        h[4] = high.x, h[5] = high.y, h[6] = high.z, h[7] = high.w;
#pragma unroll
        for (int s = 0; s < STRIDE; ++s) {
          const int row = stretch * STRIDE + s;
          const float4 point = tile.points[row * SLOTS + slot];
          const float4 B = tile.B(row, group, quarter);
          const float b[4] = {B.x, B.y, B.z, B.w};
          const float dt[2] = {point.x, point.y}, d[2] = {point.x * point.z, point.y * point.w};
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            before[s][i] = h[i];
            decay[s][i] = exp2_fast(dt[i / 4] * rate[i]);
            h[i] = fmaf(decay[s][i], h[i], d[i / 4] * b[i % 4]);
          }
        }
        __syncwarp();
#pragma unroll
        for (int s = STRIDE - 1; s >= 0; --s) {
          const int row = stretch * STRIDE + s;
          float4* place = tile.points + row * SLOTS + slot;
          float2* gplace = gradient + row * SLOTS + slot;
          const float4 point = *place;
          const float2 gpoint = *gplace;
          const float4 B = tile.B(row, group, quarter), C = tile.C(row, group, quarter);
          const float b[4] = {B.x, B.y, B.z, B.w}, c[4] = {C.x, C.y, C.z, C.w};
          const float dt[2] = {point.x, point.y}, u[2] = {point.z, point.w};
          const float d[2] = {point.x * point.z, point.y * point.w}, dy[2] = {gpoint.x, gpoint.y};
          float sums[8], by_drive[2] = {}, by_rate[2] = {};
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            const int k = i / 4, n = i % 4;
            const float state = s == STRIDE - 1 ? h[i] : before[s + 1 < STRIDE ? s + 1 : s][i];
            g[i] = fmaf(dy[k], c[n], g[i]);
            sums[n] = k ? fmaf(d[1], g[i], sums[n]) : d[0] * g[i];
            sums[4 + n] = k ? fmaf(dy[1], state, sums[4 + n]) : dy[0] * state;
            by_drive[k] = fmaf(g[i], b[n], by_drive[k]);
            g[i] *= decay[s][i];
            const float w_rate = g[i] * before[s][i];
            by_rate[k] = fmaf(rate[i], w_rate, by_rate[k]);
            grate[i] = fmaf(dt[k], w_rate, grate[i]);
          }
          gdirect.x = fmaf(dy[0], u[0], gdirect.x);
          gdirect.y = fmaf(dy[1], u[1], gdirect.y);

          reduce_projection(sums, (float*)(remembered + (stretch * 2 + s / (REDUCED_PAIRS / 2)) * THREADS + tid / LANES * LANES)
                                      + s % (REDUCED_PAIRS / 2) * 32, quarter);
          // Over the pair's four lanes: lane 0 and 2 end with the gradient of u, 1 and 3 with that of dt.
          const float gu0 = fmaf(dt[0], by_drive[0], direct.x * dy[0]), gu1 = fmaf(dt[1], by_drive[1], direct.y * dy[1]);
          const float gt0 = fmaf(u[0], by_drive[0], LN2 * by_rate[0]), gt1 = fmaf(u[1], by_drive[1], LN2 * by_rate[1]);
          const bool of_step = quarter & 1, of_second = quarter & 2;
          const float v0 = (of_step ? gt0 : gu0) + exchange(of_step ? gu0 : gt0, 1);
          const float v1 = (of_step ? gt1 : gu1) + exchange(of_step ? gu1 : gt1, 1);
          const float v = (of_second ? v1 : v0) + exchange(of_second ? v0 : v1, 2);
          ((float*)(of_step ? (void*)place : (void*)gplace))[of_second] = v;  // in place of dt and of the gradient of y
        }
      }
      __syncthreads();

      // Through the softplus; the gradient of u that does not pass through the projections.
#pragma unroll
      for (int k = 0; k < TILE / 4; ++k) {
        const int row = tid / SLOTS + 4 * k;
        const int pixel = tile.pixels[row * GROUPS + column_group];
        float4* place = tile.points + row * SLOTS + column;
        float2 gv = make_float2(0.f, 0.f);
        if (pixel >= 0 && column_pair < PAIRS) {
          const float* r = tile.rows + (row * GROUPS + column_group) * ROW + 32;
          const float2 v = step_logits(w, r);
          const float4 point = *place;
          gv = make_float2(point.x * sigmoid(v.x), point.y * sigmoid(v.y));
          gbias.x += gv.x;
          gbias.y += gv.y;
          for (int i = 0; i < RANK; ++i) {
            gweight[i].x = fmaf(gv.x, r[i], gweight[i].x);
            gweight[i].y = fmaf(gv.y, r[i], gweight[i].y);
          }
          const float2 gu = gradient[row * SLOTS + column];
          float2* out = (float2*)gx + (size_t)pixel * PAIRS + column_pair;
          if (reversed == 0 && walk.columns == 0) {
            *out = gu;
          } else {
            atomicAdd(&out->x, gu.x);
            atomicAdd(&out->y, gu.y);
          }
        }
        *(float2*)place = gv;
      }
      __syncthreads();

      // Gradients of B and C: the sums of each chunk's REDUCED_PAIRS.
      for (int i = tid; i < TILE * GROUPS * 8; i += THREADS) {
        const int row = i / (GROUPS * 8), g = i / 8 % GROUPS;
        const int pixel = tile.pixels[row * GROUPS + g];
        if (pixel < 0) continue;
        const int step = row % STRIDE;
        const float4* from = remembered + (row / STRIDE * 2 + step / (REDUCED_PAIRS / 2)) * THREADS + g * 4 * BACKWARD_PAIRS
                             + step % (REDUCED_PAIRS / 2) * 8 + i % 8;
        float4 sum = from[0];
        for (int k = LANES; k < 4 * BACKWARD_PAIRS; k += LANES) {
          const float4 v = from[k];
          sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
        }
        ((float4*)gprojected)[((size_t)pixel * 2 + reversed) * (ROW / 4) + i % 8] = sum;
      }
      // Gradient of r, four lanes a pixel.
      for (int i = 0; i < (TILE * GROUPS + SLOTS - 1) / SLOTS; ++i) {
        const int item = i * SLOTS + slot;
        const bool real = item < TILE * GROUPS;
        const int row = item / GROUPS, g = item % GROUPS;
        float sum[RANK] = {};
        if (real)
          for (int p = quarter; p < PAIRS; p += 4) {
            const float2 gv = *(const float2*)(tile.points + row * SLOTS + g * BACKWARD_PAIRS + p);
            for (int r = 0; r < RANK; ++r) {
              const float2 weight = ((const float2*)weights)[r * BACKWARD_PAIRS + p];
              sum[r] = fmaf(gv.x, weight.x, fmaf(gv.y, weight.y, sum[r]));
            }
          }
        for (int r = 0; r < RANK; ++r) {
          sum[r] += exchange(sum[r], 1);
          sum[r] += exchange(sum[r], 2);
        }
        const int pixel = real ? tile.pixels[item] : -1;
        if (pixel >= 0 && quarter == 0)
          for (int r = 0; r < RANKS; ++r)
            gprojected[((size_t)pixel * 2 + reversed) * ROW + 32 + r] = r < RANK ? sum[r < RANK ? r : 0] : 0.f;
      }
    }

    // Gradients of the weights over this block's chunks: A and D by thread, W and bias summed over the four rows of threads.
    __syncthreads();
    float2* gathered = (float2*)remembered;  // [4][SLOTS][1 + RANK]
    gathered[tid * (1 + RANK)] = gbias;
    for (int r = 0; r < RANK; ++r) gathered[tid * (1 + RANK) + 1 + r] = gweight[r];
    __syncthreads();
    float* out = partials + ((size_t)reversed * gridDim.x + blockIdx.x) * GROUPS * PARTIALS * CHANNELS;
    if (pair < PAIRS) {
      float* own = out + group * PARTIALS * CHANNELS + 2 * pair;
      for (int n = 0; n < 4; ++n)
        *(float2*)(own + (4 * quarter + n) * CHANNELS) = make_float2(grate[n], grate[4 + n]);
      if (quarter == 0) *(float2*)(own + STATES * CHANNELS) = gdirect;
    }
    if (tid < SLOTS && column_pair < PAIRS)
      for (int k = 0; k < 1 + RANK; ++k) {
        float2 sum = gathered[tid * (1 + RANK) + k];
        for (int i = 1; i < 4; ++i) {
          const float2 v = gathered[(i * SLOTS + tid) * (1 + RANK) + k];
          sum.x += v.x, sum.y += v.y;
        }
        *(float2*)(out + (column_group * PARTIALS + STATES + 1 + k) * CHANNELS + 2 * column_pair) = sum;
      }
  }
}
