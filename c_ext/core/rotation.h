/* rotation.h -- a seeded orthonormal change of axes, in n log n steps.
**
** One-bit codes lose least when no axis is special.  Four rounds of: random signs,
** a Walsh-Hadamard transform of the largest power of two that fits (at the front in
** even rounds, at the back in odd ones), and, where that is not the whole, a turn
** by 45 degrees between halves.  Made of + - x alone, so equal on every machine.
** (The idea of random signs and Hadamard transforms: Ailon and Chazelle, The fast
** Johnson-Lindenstrauss transform, 2009.)
**
** A vector of d components is padded with zeros to the rotated length, a multiple
** of 32.  Short vectors are padded further, so that they get more bits than they
** have components: ann_rotation_length says how far.
*/
#ifndef ANN_CORE_ROTATION_H
#define ANN_CORE_ROTATION_H

#include "core/base.h"

/* cffi:on */
typedef struct AnnRotation {
  int64_t d;      /* components given */
  int64_t length; /* components after rotation */
  int64_t block;  /* largest power of two <= length */
  float *signs;   /* owned: 4 x length of +1 and -1 */
} AnnRotation;

int64_t ann_rotation_length(int64_t d);
int ann_rotation_init(AnnRotation *rotation, int64_t d, uint64_t seed);
void ann_rotation_apply(const AnnRotation *rotation, const float *vector, float *out);
void ann_rotation_clear(AnnRotation *rotation);
/* cffi:off */

/* ann_rotation_apply: out has rotation->length components and does not overlap vector. */

#endif
