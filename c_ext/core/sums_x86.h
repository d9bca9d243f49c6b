/* sums_x86.h -- the sums of sums.h for x86-64 CPUs with AVX2. */
#ifndef ANN_CORE_SUMS_X86_H
#define ANN_CORE_SUMS_X86_H

#include "core/sums.h"

#if defined(__x86_64__) || defined(_M_X64)
/* All of it only after ann_kernel_x86_has_avx2(). */
ANN_SUMS_SHARED(ann_avx2)
extern const AnnSums ann_sums_avx2;
#endif

#endif
