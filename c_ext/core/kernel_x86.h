/* kernel_x86.h -- what an x86-64 CPU has, and the kernels for those with AVX2. */
#ifndef ANN_CORE_KERNEL_X86_H
#define ANN_CORE_KERNEL_X86_H

#include "core/kernel.h"

#if defined(__x86_64__) || defined(_M_X64)
#define ANN_HAS_KERNEL_X86 1
extern const AnnKernels ann_kernels_avx2; /* only after ann_kernel_x86_has_avx2() */

/* Whether CPU and operating system have all that the kernels of this name use. */
int ann_kernel_x86_has_avx2(void);
int ann_kernel_x86_has_avx512(void);
int ann_kernel_x86_has_vnni(void);
#endif

#endif
