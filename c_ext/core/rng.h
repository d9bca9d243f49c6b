/* rng.h -- the one source of random choices.
**
** SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
** 2014), keyed by (seed, tree, path), so that a choice depends on where it is made
** and never on the order or the thread in which it is made.
*/
#ifndef ANN_CORE_RNG_H
#define ANN_CORE_RNG_H

#include "core/base.h"

typedef struct AnnRng {
  uint64_t state;
} AnnRng;

static inline uint64_t ann_rng_next(AnnRng *rng) {
  uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Each key is mixed in by a full round, so that near keys give unrelated streams. */
static inline AnnRng ann_rng_keyed(uint64_t seed, uint64_t tree, uint64_t path) {
  AnnRng rng;
  rng.state = seed;
  rng.state = ann_rng_next(&rng) ^ tree;
  rng.state = ann_rng_next(&rng) ^ path;
  (void)ann_rng_next(&rng);
  return rng;
}

/* A number in [0, n), n > 0; the bias of the modulus is below n / 2^64. */
static inline uint64_t ann_rng_below(AnnRng *rng, uint64_t n) { return ann_rng_next(rng) % n; }

#endif
