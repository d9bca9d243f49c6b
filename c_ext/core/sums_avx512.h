/* sums_avx512.h -- the sums of sums.h for x86-64 CPUs with AVX-512. */
#ifndef ANN_CORE_SUMS_AVX512_H
#define ANN_CORE_SUMS_AVX512_H

#include "core/sums.h"

#if defined(__x86_64__) || defined(_M_X64)
/* All of it only after ann_kernel_x86_has_avx512(). */
ANN_SUMS_SHARED(ann_avx512)
extern const AnnSums ann_sums_avx512;
extern const AnnSums ann_sums_vnni; /* only after ann_kernel_x86_has_vnni() */
#endif

#endif
