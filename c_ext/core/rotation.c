/* rotation.c -- see rotation.h. */
#include "core/rotation.h"

#include <math.h>

#include "core/kernel.h"
#include "core/rng.h"

#define ROUNDS 4
/* A code has at least this many bits, however short the vector: docs/MEASUREMENTS.md, "codes". */
#define SHORTEST 256
#define KEY_ROTATION 0x726F74u /* "rot": keeps this stream apart from the trees' */

int64_t ann_rotation_length(int64_t d) {
  int64_t padded = (d + 31) / 32 * 32;
  return padded < SHORTEST ? SHORTEST : padded;
}

int ann_rotation_init(AnnRotation *rotation, int64_t d, uint64_t seed) {
  AnnRng rng = ann_rng_keyed(seed, KEY_ROTATION, 0);
  int64_t i;
  rotation->d = d;
  rotation->length = ann_rotation_length(d);
  rotation->block = 1;
  while (rotation->block * 2 <= rotation->length) rotation->block *= 2;
  rotation->signs = ann_alloc_array((uint64_t)(ROUNDS * rotation->length), sizeof(float));
  if (!rotation->signs) return ANN_NOMEM;
  for (i = 0; i < ROUNDS * rotation->length; i++) {
    rotation->signs[i] = ann_rng_next(&rng) >> 63 ? 1.0f : -1.0f;
  }
  return ANN_OK;
}

/* (a, b) -> ((a + b), (a - b)) / sqrt 2 between the halves. */
static void mix_halves(float *x, int64_t n) {
  const float scale = sqrtf(0.5f);
  int64_t half = n / 2, i;
  float *restrict low = x, *restrict high = x + half;
  for (i = 0; i < half; i++) {
    float a = low[i], b = high[i];
    low[i] = (a + b) * scale;
    high[i] = (a - b) * scale;
  }
}

void ann_rotation_apply(const AnnRotation *rotation, const float *vector, float *out) {
  int64_t n = rotation->length, block = rotation->block, i;
  const float scale = 1.0f / sqrtf((float)block);
  int round;
  memcpy(out, vector, (size_t)rotation->d * sizeof *out);
  memset(out + rotation->d, 0, (size_t)(n - rotation->d) * sizeof *out);
  for (round = 0; round < ROUNDS; round++) {
    const float *sign = rotation->signs + round * n;
    float *part = round % 2 ? out + (n - block) : out;
    for (i = 0; i < n; i++) out[i] *= sign[i];
    ann_kernels()->hadamard(part, (size_t)block);
    for (i = 0; i < block; i++) part[i] *= scale;
    if (block < n) mix_halves(out, n);
  }
}

void ann_rotation_clear(AnnRotation *rotation) {
  ann_free(rotation->signs);
  memset(rotation, 0, sizeof *rotation);
}
