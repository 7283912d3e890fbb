// The language of the kernels. Their source is compiled by NVRTC for a card, and by a C++ compiler for a processor: with EMULATED
// defined the threads of a block take turns, and with threads.h before this they are threads of the processor, for which everything is
// read as for a card (processor.h comes before both). The bits are the same: every operation is rounded on its own (-fmad=false, -ffp-contract=off) but for `fused`, no
// sum depends on the number of blocks or threads, and nothing is added atomically.
//
//   KERNEL name(...) { ... } EXPORT(name)   a kernel, launched by its name
//   KERNEL_OF(blocks) name(...) one of which so many blocks fit on a multiprocessor at once
//   EACH (i, count) { ... }     once for every i below count: a thread each
//   PHASE { ... }               once for every `thread` of the block; a thread goes on when all are done, so
//                               SHARED memory that one phase writes can be read in the next
//   OWNED(float, sums, [4])     values of each thread that outlive a phase, there as OWN(sums); in loops that are all
//                               UNROLLed they lie in registers of a card, else in its memory

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define THREADS 256

// A number that differs from step to step: what the card counts, if it does, and `added`.
struct Count {
  const i64 *counted;
  i64 added;
};

#ifdef EMULATED

#define DEVICE static inline
#define MEMBER
#define SHARED
#define ALIGNED
#define UNROLL
#define UNROLL_BY(times)
#define OWNED(type, name, size) type name[THREADS] size
#define OWN(name) name[thread]

static thread_local u32 BLOCK;
// Threads take turns from the last to the first. Where that changes a bit, two of them race.
static thread_local bool BACKWARDS;

static inline u32 of_turn(u32 turn) { return BACKWARDS ? THREADS - 1 - turn : turn; }

#define PHASE for (u32 turn = 0, thread = of_turn(0); turn < THREADS; thread = of_turn(++turn))
#define EACH(i, count) PHASE if (const i64 i = (i64)BLOCK * THREADS + thread; i < (count))

template <class... Arguments>
static void run(void (*kernel)(Arguments...), u32 blocks, bool backwards, void **arguments) {
  BACKWARDS = backwards;
  for (u32 turn = 0; turn < blocks; ++turn) {
    BLOCK = backwards ? blocks - 1 - turn : turn;
    call(kernel, arguments);
  }
}

template <class... Arguments>
static int sizes(void (*)(Arguments...), size_t *sizes) {
  ((*sizes++ = sizeof(Arguments)), ...);
  return sizeof...(Arguments);
}

#define KERNEL static void
#define KERNEL_OF(blocks) KERNEL
#define EXPORT(name)                                                            \
  extern "C" void launch_##name(u32 blocks, int backwards, void **arguments) {  \
    run(name, blocks, backwards != 0, arguments);                               \
  }                                                                             \
  extern "C" int sizes_##name(size_t *arguments) { return sizes(name, arguments); }

#define fused(a, b, c) __builtin_fmaf(a, b, c)
#define root(x) __builtin_sqrtf(x)
#define root64(x) __builtin_sqrt(x)

DEVICE u32 bits_of(float value) { return of_same_bits<u32>(value); }
DEVICE float float_of(u32 bits) { return of_same_bits<float>(bits); }
DEVICE u64 bits_of64(double value) { return of_same_bits<u64>(value); }
DEVICE double double_of(u64 bits) { return of_same_bits<double>(bits); }

DEVICE void copy_four(float *to, const float *from) { memcpy(to, from, 4 * sizeof(float)); }

#else

#define DEVICE static __device__ __forceinline__
#define MEMBER __device__ __forceinline__
#define SHARED __shared__
#define ALIGNED __align__(16)
#define PRAGMA(text) _Pragma(#text)
#define UNROLL PRAGMA(unroll)
#define UNROLL_BY(times) PRAGMA(unroll times)
#define OWNED(type, name, size) type name size
#define OWN(name) name

#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS)
#define KERNEL_OF(blocks) extern "C" __global__ void __launch_bounds__(THREADS, blocks)
#ifndef EXPORT
#define EXPORT(name)
#endif

#define BLOCK blockIdx.x
#define PHASE for (u32 in_phase = 1, thread = threadIdx.x; in_phase; in_phase = 0, __syncthreads())
#define EACH(i, count) if (const i64 i = (i64)blockIdx.x * THREADS + threadIdx.x; i < (count))

#define fused(a, b, c) __fmaf_rn(a, b, c)
#define root(x) __fsqrt_rn(x)
#define root64(x) __dsqrt_rn(x)
#define bits_of(value) __float_as_uint(value)
#define float_of(bits) __uint_as_float(bits)
#define bits_of64(value) ((u64)__double_as_longlong(value))
#define double_of(bits) __longlong_as_double((i64)(bits))

// In one load: the first lies at a multiple of 16 bytes.
DEVICE void copy_four(float *to, const float *from) {
  const float4 four = *reinterpret_cast<const float4 *>(from);
  to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}

#endif

// Elements that are loaded before the first of them is used: one that waits for each load takes as long as they do.
#define AHEAD 16

// An element of each of two operands.
struct Both {
  float a, b;
};

// Uses in turn what is loaded for every number below `count`.
template <class Load, class Use>
DEVICE void in_turn(i64 count, Load load, Use use) {
  for (i64 first = 0; first < count; first += AHEAD) {
    decltype(load(first)) loaded[AHEAD];
    UNROLL for (int each = 0; each < AHEAD; ++each)
      if (first + each < count) loaded[each] = load(first + each);
    UNROLL for (int each = 0; each < AHEAD; ++each)
      if (first + each < count) use(first + each, loaded[each]);
  }
}

DEVICE i64 value_of(const Count &count) { return count.added + (count.counted ? *count.counted : 0); }
