/* learned.c -- see learned.h. */
#include "index/learned.h"

#include "core/bytes.h"
#include "core/rng.h"
#include "index/config.h"

#define HEADER_SIZE 32
#define QUERY_BYTES ((int64_t)64 << 20)
#define KEY_LEARNED 0x6c726eu /* "lrn": apart from the streams of core/bisect.c */

struct AnnLearned {
  AnnDb *db;             /* borrowed */
  AnnState *state;       /* borrowed */
  const AnnSpace *space; /* borrowed */
  uint64_t seed;
  int64_t most;     /* queries that there is room for */
  int known;        /* what follows is what the database says, or newer */
  int dirty;        /* newer */
  int64_t seen;     /* queries ever given */
  int64_t n;        /* kept */
  int measured;     /* the calibration knows all of them */
  uint8_t *queries; /* owned: most of them; NULL without queries */
};

static int64_t query_bytes(const AnnLearned *learned) { return learned->space->query_size; }

int ann_learned_new(AnnDb *db, AnnState *state, const AnnSpace *space, uint64_t seed,
                    AnnLearned **out_learned) {
  AnnLearned *learned = ann_alloc_zero(1, sizeof *learned);
  *out_learned = learned;
  if (!learned) return ANN_NOMEM;
  learned->db = db;
  learned->state = state;
  learned->space = space;
  learned->seed = seed;
  learned->most = QUERY_BYTES / query_bytes(learned);
  if (learned->most > ANN_LEARNED_MOST) learned->most = ANN_LEARNED_MOST;
  return ANN_OK;
}

void ann_learned_drop(AnnLearned *learned) {
  ann_free(learned->queries);
  learned->queries = NULL;
  learned->known = learned->dirty = learned->measured = 0;
  learned->seen = learned->n = 0;
}

void ann_learned_free(AnnLearned *learned) {
  if (learned) ann_learned_drop(learned);
  ann_free(learned);
}

/* Without queries there is nothing to have room for. */
static int make_room(AnnLearned *learned) {
  if (!learned->queries) {
    learned->queries = ann_alloc_array((uint64_t)learned->most, (uint64_t)query_bytes(learned));
  }
  return learned->queries ? ANN_OK : ANN_NOMEM;
}

static int decode(AnnLearned *learned, const uint8_t *blob, int64_t size) {
  if (size >= HEADER_SIZE) {
    learned->seen = (int64_t)ann_get64(blob);
    learned->n = ann_get32(blob + 8);
    learned->measured = ann_get32(blob + 12) == 1;
  }
  if (size < HEADER_SIZE || learned->n > learned->most || learned->seen < learned->n ||
      ann_space_queries_from_blobs(learned->space, blob + HEADER_SIZE, size - HEADER_SIZE,
                                   learned->n, learned->queries) != ANN_OK) {
    return ann_db_corrupt(learned->db, "config row", ANN_CONFIG_LEARNED);
  }
  return ANN_OK;
}

static int load(AnnLearned *learned) {
  uint8_t *blob = NULL; /* owned */
  int64_t size = 0;
  int rc = learned->known ? ANN_OK
                          : ann_config_blob(learned->db, ANN_CONFIG_LEARNED, &blob, &size);
  if (rc != ANN_OK || learned->known) return rc;
  learned->measured = 1;
  if (blob) rc = make_room(learned);
  if (blob && rc == ANN_OK) rc = decode(learned, blob, size);
  ann_free(blob);
  if (rc != ANN_OK) ann_learned_drop(learned);
  learned->known = rc == ANN_OK;
  return rc;
}

int ann_learned_get(AnnLearned *learned, AnnLearnedQueries *out_queries) {
  int rc = load(learned);
  out_queries->n = learned->n;
  out_queries->queries = learned->queries;
  out_queries->measured = learned->measured;
  return rc;
}

/* Fold a query into the table's history: by its stored bytes, whatever the host's order. */
static int fold(AnnLearned *learned, const void *query) {
  int64_t size = ann_space_query_blob_size(learned->space);
  uint8_t *blob = ann_alloc((uint64_t)size);
  if (!blob) return ANN_NOMEM;
  ann_space_queries_to_blobs(learned->space, query, 1, blob);
  ann_state_fold(learned->state, ANN_CONFIG_LEARNED, blob, size);
  ann_free(blob);
  return ANN_OK;
}

int ann_learned_add(AnnLearned *learned, const void *query) {
  AnnRng rng;
  int64_t at;
  int rc = load(learned);
  if (rc == ANN_OK) rc = make_room(learned);
  if (rc == ANN_OK) rc = fold(learned, query);
  if (rc != ANN_OK) return rc;
  rng = ann_rng_keyed(learned->seed, KEY_LEARNED, (uint64_t)learned->seen);
  learned->seen += learned->seen < INT64_MAX;
  learned->dirty = 1;
  at = learned->n < learned->most ? learned->n++
                                  : (int64_t)ann_rng_below(&rng, (uint64_t)learned->seen);
  if (at >= learned->most) return ANN_OK;
  memcpy(learned->queries + at * query_bytes(learned), query, (size_t)query_bytes(learned));
  learned->measured = 0;
  return ANN_OK;
}

int ann_learned_measured(AnnLearned *learned) {
  int rc = load(learned);
  if (rc != ANN_OK || learned->measured) return rc;
  learned->measured = learned->dirty = 1;
  return ANN_OK;
}

int ann_learned_tell(AnnLearned *learned) {
  uint8_t *blob = NULL; /* owned */
  int64_t size = 0;
  int rc = ann_config_blob(learned->db, ANN_CONFIG_LEARNED, &blob, &size);
  if (rc == ANN_OK && blob) ann_state_fold(learned->state, ANN_CONFIG_LEARNED, blob, size);
  ann_free(blob);
  return rc;
}

int64_t ann_learned_held(const AnnLearned *learned) { return learned->known ? learned->n : -1; }

int ann_learned_is_clean(const AnnLearned *learned) { return !learned->dirty; }

int ann_learned_flush(AnnLearned *learned) {
  int64_t size;
  uint8_t *blob;
  int rc;
  if (!learned->dirty) return ANN_OK;
  size = HEADER_SIZE + learned->n * ann_space_query_blob_size(learned->space);
  blob = ann_alloc_zero((uint64_t)size, 1);
  if (!blob) return ANN_NOMEM;
  ann_put64(blob, (uint64_t)learned->seen);
  ann_put32(blob + 8, (uint32_t)learned->n);
  ann_put32(blob + 12, (uint32_t)learned->measured);
  ann_space_queries_to_blobs(learned->space, learned->queries, learned->n, blob + HEADER_SIZE);
  rc = ann_config_put(learned->db, ANN_CONFIG_LEARNED, "learned", blob, size);
  ann_free(blob);
  if (rc == ANN_OK) learned->dirty = 0;
  return rc;
}
