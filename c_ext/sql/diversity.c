/* diversity.c -- see diversity.h. */
#include "sql/diversity.h"

#include "core/mmr.h"

static int read_vectors(AnnStore *store, const AnnRanked *rows, int64_t n, uint8_t *out) {
  int64_t size = store->options.space.blob_size, i;
  int rc = ANN_OK;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    const AnnRow *row = NULL;
    rc = ann_rows_get(store->rows, rows[i].id, &row);
    if (rc == ANN_OK && !row) rc = ann_source_lacks(store->source, rows[i].id);
    if (rc == ANN_OK) memcpy(out + i * size, row->vector, (size_t)size);
  }
  return rc;
}

int ann_diversity_choose(AnnStore *store, AnnRanked *rows, int64_t n, int64_t k,
                         double diversity) {
  const AnnSpace *space = &store->options.space;
  AnnPoll poll = {ann_db_tick, store->db};
  uint8_t *vectors = ann_alloc_array((uint64_t)n, (uint64_t)space->blob_size); /* owned */
  int rc = vectors ? read_vectors(store, rows, n, vectors) : ANN_NOMEM;
  if (rc == ANN_OK) rc = ann_mmr_choose(space, rows, vectors, n, k, diversity, &poll);
  ann_free(vectors);
  return rc;
}
