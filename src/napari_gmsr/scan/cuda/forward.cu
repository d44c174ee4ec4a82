// Forward: K1 `summarise` (each chunk's end state from zero, and its sum of dt), `carry`, then K3 `outputs`.

using ForwardTile = Tile<FORWARD_GROUPS, FORWARD_PAIRS>;

extern "C" __global__ void __launch_bounds__(ForwardTile::THREADS) summarise(
    const float2* __restrict__ x, const float4* __restrict__ projected, const float* __restrict__ rates,
    const float* __restrict__ dt_proj, const float* __restrict__ dt_bias, float* __restrict__ states,
    float* __restrict__ sums, Walk walk) {
  extern __shared__ float4 shared[];
  ForwardTile tile;
  tile.place((char*)shared);
  const int reversed = blockIdx.y, direction = walk.columns + 2 * reversed;
  const int quarter = threadIdx.x % 4, slot = threadIdx.x / 4;
  const int group = slot / FORWARD_PAIRS, pair = slot % FORWARD_PAIRS;
  const int first_chunk = blockIdx.x * FORWARD_GROUPS;
  const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, threadIdx.x % FORWARD_PAIRS);
  float rate[8], h[8] = {};
  load_rates(rate, rates, direction, pair, quarter);
  float2 time = make_float2(0.f, 0.f);

  for (int start = 0; start < walk.chunk_length; start += TILE) {
    __syncthreads();
    tile.load<false>(walk, first_chunk, reversed, start, x, projected, w, nullptr, nullptr);
#pragma unroll 4
    for (int row = 0; row < TILE; ++row) {
      const float4 point = tile.points[row * ForwardTile::SLOTS + slot];
      const float4 B = tile.B(row, group, quarter);
      const float b[4] = {B.x, B.y, B.z, B.w};
      const float d0 = point.x * point.z, d1 = point.y * point.w;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        h[n] = fmaf(exp2_fast(point.x * rate[n]), h[n], d0 * b[n]);
        h[4 + n] = fmaf(exp2_fast(point.y * rate[4 + n]), h[4 + n], d1 * b[n]);
      }
      time.x += point.x;
      time.y += point.y;
    }
  }
  const int chunk = first_chunk + group;
  if (chunk < walk.total && pair < PAIRS) {
    store_states(states + state_offset(walk, reversed, chunk), h, pair, quarter);
    if (quarter == 0) ((float2*)sums)[((size_t)reversed * walk.total + chunk) * PAIRS + pair] = time;
  }
}

// y of the direction is stored, or added where `columns` (rows came first); y of its reverse is added by the same block afterwards. Each
// element gets its addends in one fixed order.
extern "C" __global__ void __launch_bounds__(ForwardTile::THREADS) outputs(
    const float2* __restrict__ x, const float4* __restrict__ projected, const float* __restrict__ rates,
    const float* __restrict__ dt_proj, const float* __restrict__ dt_bias, const float* __restrict__ skip,
    const float* __restrict__ states, float* y, Walk walk) {
  extern __shared__ float4 shared[];
  ForwardTile tile;
  tile.place((char*)shared);
  const int quarter = threadIdx.x % 4, slot = threadIdx.x / 4;
  const int group = slot / FORWARD_PAIRS, pair = slot % FORWARD_PAIRS;
  const int first_chunk = blockIdx.x * FORWARD_GROUPS, chunk = first_chunk + group;
  const bool works = chunk < walk.total && pair < PAIRS;

  for (int reversed = 0; reversed < 2; ++reversed) {
    const int direction = walk.columns + 2 * reversed;
    const StepWeights w = load_step_weights(dt_proj, dt_bias, direction, threadIdx.x % FORWARD_PAIRS);
    float rate[8], h[8] = {};
    load_rates(rate, rates, direction, pair, quarter);
    float2 direct = make_float2(0.f, 0.f);
    if (works) {
      load_states(h, states + state_offset(walk, reversed, chunk), pair, quarter);
      if (quarter == 0) direct = ((const float2*)skip)[direction * PAIRS + pair];
    }
    for (int start = 0; start < walk.chunk_length; start += TILE) {
      __syncthreads();
      tile.load<false>(walk, first_chunk, reversed, start, x, projected, w, nullptr, nullptr);
#pragma unroll 4
      for (int row = 0; row < TILE; ++row) {
        float4* place = tile.points + row * ForwardTile::SLOTS + slot;
        const float4 point = *place;
        const float4 B = tile.B(row, group, quarter), C = tile.C(row, group, quarter);
        const float b[4] = {B.x, B.y, B.z, B.w}, c[4] = {C.x, C.y, C.z, C.w};
        const float d0 = point.x * point.z, d1 = point.y * point.w;
        float y0 = direct.x * point.z, y1 = direct.y * point.w;
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          h[n] = fmaf(exp2_fast(point.x * rate[n]), h[n], d0 * b[n]);
          h[4 + n] = fmaf(exp2_fast(point.y * rate[4 + n]), h[4 + n], d1 * b[n]);
          y0 = fmaf(c[n], h[n], y0);
          y1 = fmaf(c[n], h[4 + n], y1);
        }
        // Sum over the four lanes of the pair: even lanes end with the first channel, odd ones with the second.
        float kept = quarter & 1 ? y1 : y0;
        kept += exchange(quarter & 1 ? y0 : y1, 1);
        kept += exchange(kept, 2);
        if (quarter < 2) ((float*)place)[quarter] = kept;  // in place of dt, which all four have read
      }
      __syncthreads();
      const int writer = threadIdx.x % ForwardTile::SLOTS, written = writer % FORWARD_PAIRS;
#pragma unroll
      for (int k = 0; k < TILE / 4; ++k) {
        const int row = threadIdx.x / ForwardTile::SLOTS + 4 * k;
        const int pixel = tile.pixels[row * FORWARD_GROUPS + writer / FORWARD_PAIRS];
        if (pixel < 0 || written >= PAIRS) continue;
        const float4 v = tile.points[row * ForwardTile::SLOTS + writer];
        float2* out = (float2*)y + (size_t)pixel * PAIRS + written;
        if (reversed == 0 && walk.columns == 0) {
          *out = make_float2(v.x, v.y);
        } else {
          atomicAdd(&out->x, v.x);
          atomicAdd(&out->y, v.y);
        }
      }
    }
  }
}
