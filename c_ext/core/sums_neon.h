/* sums_neon.h -- the sums of sums.h for 64-bit ARM, all of which has NEON. */
#ifndef ANN_CORE_SUMS_NEON_H
#define ANN_CORE_SUMS_NEON_H

#include "core/sums.h"

#if defined(__aarch64__) && !defined(__AARCH64EB__)
ANN_SUMS_SHARED(ann_neon)
extern const AnnSums ann_sums_neon;
#endif

#endif
