// CUDA's words on a processor, where each thread of a block is one of the operating system's: so tests run the kernels as they are read
// for a card, and not as the emulation reads them.

#include <pthread.h>

#include <mutex>
#include <thread>
#include <vector>

struct Place {
  unsigned x;
};
static thread_local Place threadIdx, blockIdx;
static pthread_barrier_t all_threads;
static inline void __syncthreads() { pthread_barrier_wait(&all_threads); }

#define __device__
#define __global__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct __align__(16) float4 {
  float x, y, z, w;
};

#define __fmaf_rn(a, b, c) __builtin_fmaf(a, b, c)
#define __fsqrt_rn(x) __builtin_sqrtf(x)
#define __dsqrt_rn(x) __builtin_sqrt(x)
#define __float_as_uint(value) of_same_bits<unsigned>(value)
#define __uint_as_float(bits) of_same_bits<float>(bits)
#define __double_as_longlong(value) of_same_bits<long long>(value)
#define __longlong_as_double(bits) of_same_bits<double>(bits)

// The blocks one after another, the threads of each at once; one launch at a time, since what a block shares is there once.
static std::mutex launching;
template <class... Arguments>
static void run(void (*kernel)(Arguments...), unsigned blocks, unsigned count, void **arguments) {
  const std::lock_guard<std::mutex> alone(launching);
  pthread_barrier_init(&all_threads, nullptr, count);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < count; ++thread)
    threads.emplace_back([=] {
      threadIdx.x = thread;
      for (unsigned block = 0; block < blocks; ++block) {
        blockIdx.x = block;
        call(kernel, arguments);
        __syncthreads();
      }
    });
  for (std::thread &thread : threads) thread.join();
  pthread_barrier_destroy(&all_threads);
}

#define EXPORT(name)                                                      \
  extern "C" void launch_##name(unsigned blocks, int, void **arguments) { \
    run(name, blocks, THREADS, arguments);                                \
  }
