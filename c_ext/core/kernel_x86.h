/* kernel_x86.h -- the kernels for x86-64 CPUs with AVX2. */
#ifndef ANN_CORE_KERNEL_X86_H
#define ANN_CORE_KERNEL_X86_H

#include "core/kernel.h"

#if defined(__x86_64__) || defined(_M_X64)
#define ANN_HAS_KERNEL_X86 1
extern const AnnKernels ann_kernels_avx2;    /* only after ann_kernel_x86_has_avx2() */
int ann_kernel_x86_has_avx2(void);
#endif

#endif
