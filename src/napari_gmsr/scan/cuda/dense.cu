// Products of features with weights on the tensor cores, exact to float32: each factor is the sum of two TF32 numbers, and three of
// the four products are summed.
//
// A warp multiplies sixteen rows of features. Lane 4 g + t holds of the eight columns 8 j ... of the result, in this order: row g,
// columns 8 j + 2 t and the next; row g + 8, the same columns. Weights lie in memory as the lanes read them, split beforehand:
// (depth / 8, columns / 8, lane, 4).

__device__ __forceinline__ float leading(float v) { return __uint_as_float((__float_as_uint(v) + 0x1000u) & 0xffffe000u); }

// Add to each sums[j] the features times the weights of the columns 8 j ...; features(half, column) gives row g + 8 * half. There are
// 8 * DEPTH columns of features and 8 * STRIDE columns of weights.
template <int DEPTH, int TILES, int STRIDE = TILES, typename Features>
__device__ __forceinline__ void multiply(float (&sums)[TILES][4], const float4* weights, Features features) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < DEPTH; ++k) {
    float high[4], low[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float v = features(i % 2, 8 * k + lane % 4 + 4 * (i / 2));
      high[i] = leading(v);
      low[i] = v - high[i];
    }
#pragma unroll
    for (int j = 0; j < TILES; ++j) {
      const float4 w = weights[(k * STRIDE + j) * 32 + lane];
      multiply_add(sums[j], high, w.z, w.w);
      multiply_add(sums[j], low, w.x, w.y);
      multiply_add(sums[j], high, w.x, w.y);
    }
  }
}
