// A CUDA block on one CPU core: every thread is a fiber that runs until the next barrier or exchange between lanes.
// Shared memory starts as NaN, so that a value nobody wrote shows.
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct Index { unsigned x = 0, y = 0, z = 0; };
static float2 make_float2(float x, float y) { return {x, y}; }
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
using std::min;

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)

static Index threadIdx, blockIdx, gridDim;
float4 shared[1 << 16];
static jmp_buf scheduler;
static std::vector<jmp_buf> fibers;
static bool progress;

// Where threads wait for each other: the block, and each of its warps.
struct Barrier {
  unsigned arrived = 0, generation = 0, size = 0;
  void wait() {
    const unsigned mine = generation;
    if (++arrived == size) {
      arrived = 0;
      ++generation;
      progress = true;
      return;
    }
    while (generation == mine) {
      const unsigned me = threadIdx.x;
      if (!_setjmp(fibers[me])) _longjmp(scheduler, 1);
      threadIdx.x = me;
    }
  }
};
static Barrier block;
static std::vector<Barrier> warps;
static std::vector<float> mailbox[2];  // of each thread six values
static std::vector<unsigned> letters;

static void __syncthreads() { block.wait(); }
static void __syncwarp() { warps[threadIdx.x / 32].wait(); }
static float* post() {
  auto& box = mailbox[letters[threadIdx.x]++ % 2];
  return &box[threadIdx.x / 32 * 32 * 6];
}
template <typename T> static void atomicAdd(T* place, T value) { *place += value; }
static void add(float2* place, float2 v) { place->x += v.x, place->y += v.y; }
static float exp2_fast(float x) { return exp2f(x); }
static float reciprocal(float x) { return 1.f / x; }
static float rsqrtf(float x) { return 1.f / sqrtf(x); }
static unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
static float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
static float exchange(float value, int mask) {
  float* box = post();
  const int lane = threadIdx.x % 32;
  box[6 * lane] = value;
  __syncwarp();
  return box[6 * (lane ^ mask)];
}
// The tensor cores read factors without their low bits.
static void multiply_add(float (&sum)[4], const float (&a)[4], float b0, float b1) {
  float* box = post();
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const float own[6] = {a[0], a[1], a[2], a[3], b0, b1};
  for (int i = 0; i < 6; ++i) box[6 * lane + i] = __uint_as_float(__float_as_uint(own[i]) & 0xffffe000u);
  __syncwarp();
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 8; ++k)
      sum[i] += box[6 * (4 * g + k % 4) + i / 2 + 2 * (k / 4)] * box[6 * (4 * (2 * t + i % 2) + k % 4) + 4 + k / 4];
}

static void (*body)(void**);
static void** arguments;
static bool finished;
static void run_thread() {
  body(arguments);
  finished = true;
  _longjmp(scheduler, 1);
}

template <typename... Args, size_t... I>
static void call(void (*kernel)(Args...), void** a, std::index_sequence<I...>) {
  kernel(*(std::remove_reference_t<Args>*)a[I]...);
}

static int run(void (*kernel)(void**), const unsigned* grid, unsigned threads, unsigned bytes, void** args) {
  constexpr size_t STACK = 1 << 16;
  if (bytes > sizeof(shared)) return 1;
  static std::vector<char> stacks;
  static volatile unsigned left, t;
  stacks.resize(STACK * threads);
  body = kernel;
  arguments = args;
  gridDim = {grid[0], grid[1], grid[2]};
  for (volatile unsigned b = 0; b < grid[0] * grid[1] * grid[2]; ++b) {
    blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
    memset(shared, 0xff, sizeof(shared));
    fibers = std::vector<jmp_buf>(threads);
    letters.assign(threads, 0);
    for (auto& box : mailbox) box.assign(6 * (threads + 31), NAN);
    block = {0, 0, threads};
    warps.assign((threads + 31) / 32, {0, 0, 32});
    if (threads % 32) warps.back().size = threads % 32;
    static std::vector<char> state;  // 0: not begun, 1: under way, 2: done
    state.assign(threads, 0);
    for (left = threads; left;) {
      progress = false;
      for (t = 0; t < threads; ++t) {
        if (state[t] == 2) continue;
        threadIdx.x = t;
        finished = false;
        if (!_setjmp(scheduler)) {
          if (state[t]) _longjmp(fibers[t], 1);
          state[t] = 1;
          static ucontext_t context;
          getcontext(&context);
          context.uc_stack.ss_sp = stacks.data() + t * STACK;
          context.uc_stack.ss_size = STACK;
          makecontext(&context, run_thread, 0);
          setcontext(&context);
        }
        if (finished) state[t] = 2, left = left - 1, progress = true;
      }
      if (!progress) return 2;  // threads wait for others that never come
    }
  }
  // Nothing may have been written past the block's shared memory.
  const unsigned char* rest = (const unsigned char*)shared;
  for (size_t i = bytes; i < sizeof(shared); ++i)
    if (rest[i] != 0xff) return 3;
  return 0;
}

#define KERNEL(name)                                                                                          \
  template <typename... Args>                                                                                 \
  static void unpack_##name(void (*)(Args...), void** a) {                                                    \
    call(name, a, std::index_sequence_for<Args...>());                                                        \
  }                                                                                                           \
  extern "C" int emulate_##name(const unsigned* grid, unsigned threads, unsigned bytes, void** args) {        \
    return run([](void** a) { unpack_##name(name, a); }, grid, threads, bytes, args);                         \
  }
