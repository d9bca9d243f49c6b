/* part.c -- see part.h. */
#include "index/part.h"

#define FIRST 256
#define GROWTH 4
#define MOST 16384
#define MOST_BYTES ((int64_t)32 << 20) /* of a part, but for one of a single vector */

/* What it owns goes; how large it was stays. */
static void forget(AnnPart *part) {
  int64_t i;
  for (i = 0; part->tops && i < part->n; i++) ann_topk_clear(&part->tops[i]);
  ann_free(part->tops);
  ann_free(part->queries);
  part->tops = NULL;
  part->queries = NULL;
  part->n = 0;
}

void ann_part_clear(AnnPart *part) {
  forget(part);
  memset(part, 0, sizeof *part);
}

int ann_part_begin(AnnPart *part, const AnnStore *store, int64_t k, int64_t most, int all) {
  int64_t room = MOST_BYTES / ann_many_bytes(store, k);
  int64_t n = part->most ? GROWTH * part->most : FIRST;
  forget(part);
  if (n > MOST || all) n = MOST;
  if (n > room) n = room;
  if (n > most) n = most;
  part->most = n > 0 ? n : 1;
  part->queries =
      ann_alloc_array((uint64_t)part->most, (uint64_t)store->options.space.query_size);
  return part->queries ? ANN_OK : ANN_NOMEM;
}

int ann_part_search(AnnPart *part, AnnStore *store, AnnAsked asked) {
  int rc;
  asked.n = part->n;
  asked.queries = part->queries;
  if (part->n == 0) return ANN_OK;
  part->tops = ann_alloc_zero((uint64_t)part->n, sizeof *part->tops);
  if (!part->tops) return ANN_NOMEM;
  rc = ann_many_search(store, &asked, part->tops);
  ann_free(part->queries);
  part->queries = NULL;
  return rc;
}
