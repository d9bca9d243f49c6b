/* kernel_avx512.h -- the kernels for x86-64 CPUs with AVX-512. */
#ifndef ANN_CORE_KERNEL_AVX512_H
#define ANN_CORE_KERNEL_AVX512_H

#include "core/kernel.h"

#if defined(__x86_64__) || defined(_M_X64)
extern const AnnKernels ann_kernels_avx512; /* only after ann_kernel_x86_has_avx512() */
extern const AnnKernels ann_kernels_vnni;   /* only after ann_kernel_x86_has_vnni() */
#endif

#endif
