// All kernels for a processor, as a library.

#include "processor.h"
#ifdef ON_THREADS
#include "threads.h"
#else
#define EMULATED
#endif
#include "prelude.cuh"

#include "arithmetic.cu"
#include "counts.cu"
#include "functions.cu"
#include "noise.cu"
#include "optimiser.cu"
#include "product.cu"
#include "readings.cu"
#include "samples.cu"
#include "sums.cu"
#include "watch.cu"
