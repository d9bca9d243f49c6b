/* kernel_neon.h -- the kernels for 64-bit ARM, all of which has NEON. */
#ifndef ANN_CORE_KERNEL_NEON_H
#define ANN_CORE_KERNEL_NEON_H

#include "core/kernel.h"

/* Little-endian only: corrections are read as they are stored. */
#if defined(__aarch64__) && !defined(__AARCH64EB__)
#define ANN_HAS_KERNEL_NEON 1
extern const AnnKernels ann_kernels_neon;
#endif

#endif
