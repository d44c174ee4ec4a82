// The few instructions that CUDA C++ does not name.

// 2^x on the special-function unit: 2 ulp, subnormal results become zero.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// The value of the lane whose number differs in the bits of `mask`.
__device__ __forceinline__ float exchange(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
