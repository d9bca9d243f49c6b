/* learned.c -- see learned.h. */
#include "index/learned.h"

#include "core/bytes.h"
#include "core/rng.h"
#include "core/vector.h"
#include "index/config.h"

#define HEADER_SIZE 32
#define VECTOR_BYTES ((int64_t)64 << 20)
#define KEY_LEARNED 0x6c726eu     /* "lrn": apart from the streams of core/tree.c */

void ann_learned_drop(AnnStore *store) {
  if (store->learned) ann_free(store->learned->vectors);
  ann_free(store->learned);
  store->learned = NULL;
}

static int decode(AnnStore *store, AnnLearned *learned, const uint8_t *blob, int64_t size) {
  char message[ANN_VECTOR_MESSAGE];
  int64_t dimensions = store->options.dimensions;
  if (size >= HEADER_SIZE) {
    learned->seen = (int64_t)ann_get64(blob);
    learned->n = ann_get32(blob + 8);
    learned->measured = ann_get32(blob + 12) == 1;
  }
  if (size < HEADER_SIZE || learned->n > learned->most || learned->seen < learned->n ||
      ann_vector_from_blob(blob + HEADER_SIZE, size - HEADER_SIZE, learned->n * dimensions,
                           learned->vectors, message) != ANN_OK) {
    return ann_db_corrupt(store->db, "config row", ANN_CONFIG_LEARNED);
  }
  return ANN_OK;
}

int ann_learned_get(AnnStore *store, AnnLearned **out_learned) {
  AnnLearned *learned = store->learned;
  uint8_t *blob = NULL;                      /* owned */
  int64_t size = 0;
  int rc = ANN_OK;
  if (!learned) {
    learned = store->learned = ann_alloc_zero(1, sizeof *learned);
    if (!learned) return ANN_NOMEM;
    learned->most = VECTOR_BYTES / ann_store_vector_bytes(store);
    if (learned->most > ANN_LEARNED_MOST) learned->most = ANN_LEARNED_MOST;
    learned->measured = 1;
    rc = ann_config_blob(store, ANN_CONFIG_LEARNED, &blob, &size);
    /* Without queries there is nothing to have room for. */
    if (rc == ANN_OK && blob) {
      learned->vectors =
          ann_alloc_array((uint64_t)learned->most, (uint64_t)ann_store_vector_bytes(store));
      rc = learned->vectors ? decode(store, learned, blob, size) : ANN_NOMEM;
    }
    ann_free(blob);
    if (rc != ANN_OK) ann_learned_drop(store);
  }
  *out_learned = store->learned;
  return rc;
}

int ann_learned_add(AnnStore *store, const float *vector) {
  AnnLearned *learned = NULL;
  AnnRng rng;
  int64_t at;
  int rc = ann_learned_get(store, &learned);
  if (rc != ANN_OK) return rc;
  if (!learned->vectors) {
    learned->vectors =
        ann_alloc_array((uint64_t)learned->most, (uint64_t)ann_store_vector_bytes(store));
    if (!learned->vectors) return ANN_NOMEM;
  }
  rng = ann_rng_keyed((uint64_t)store->options.seed, KEY_LEARNED, (uint64_t)learned->seen);
  learned->seen += learned->seen < INT64_MAX;
  learned->dirty = 1;
  at = learned->n < learned->most ? learned->n++
                                  : (int64_t)ann_rng_below(&rng, (uint64_t)learned->seen);
  if (at >= learned->most) return ANN_OK;
  memcpy(learned->vectors + at * store->options.dimensions, vector,
         (size_t)ann_store_vector_bytes(store));
  learned->measured = 0;
  return ANN_OK;
}

int ann_learned_measured(AnnStore *store) {
  AnnLearned *learned = NULL;
  int rc = ann_learned_get(store, &learned);
  if (rc != ANN_OK || learned->measured) return rc;
  learned->measured = learned->dirty = 1;
  return ANN_OK;
}

int ann_learned_is_clean(const AnnStore *store) {
  return !store->learned || !store->learned->dirty;
}

int ann_learned_flush(AnnStore *store) {
  AnnLearned *learned = store->learned;
  int64_t size;
  uint8_t *blob;
  int rc;
  if (!learned || !learned->dirty) return ANN_OK;
  size = HEADER_SIZE + learned->n * ann_store_vector_bytes(store);
  blob = ann_alloc_zero((uint64_t)size, 1);
  if (!blob) return ANN_NOMEM;
  ann_put64(blob, (uint64_t)learned->seen);
  ann_put32(blob + 8, (uint32_t)learned->n);
  ann_put32(blob + 12, (uint32_t)learned->measured);
  ann_vector_to_blob(learned->vectors, learned->n * store->options.dimensions,
                     blob + HEADER_SIZE);
  rc = ann_config_put(store, ANN_CONFIG_LEARNED, "learned", blob, size);
  ann_free(blob);
  if (rc == ANN_OK) learned->dirty = 0;
  return rc;
}
