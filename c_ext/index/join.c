/* join.c -- see join.h. */
#include "index/join.h"

#define ROWS_PER_TICK 256

void ann_join_clear(AnnJoin *join) {
  ann_part_clear(&join->part);
  ann_free(join->ids);
  memset(join, 0, sizeof *join);
}

/* The next rows, as queries of the right table. */
static int read_rows(AnnJoin *join, AnnStore *left, const AnnSpace *right, void *vector) {
  const AnnElement *element = left->options.space.element;
  AnnPart *part = &join->part;
  int found = 1, rc = ann_source_scan(left->source, join->next, join->last);
  while (rc == ANN_OK && part->n < part->most) {
    rc = ann_source_next(left->source, &join->ids[part->n], vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_query_from_other(right->element, element, vector, right->dimensions,
                         part->queries + part->n * right->query_size);
    if (++part->n % ROWS_PER_TICK == 0) rc = ann_db_tick(left->db);
  }
  ann_source_end(left->source);
  if (rc != ANN_OK) return rc;
  join->done = !found || join->ids[part->n - 1] == join->last;
  if (!join->done) join->next = join->ids[part->n - 1] + 1;
  return rc;
}

int ann_join_read(AnnJoin *join, AnnStore *left, AnnStore *right) {
  AnnAsked asked = {.k = join->k, .recall = join->recall};
  AnnPart *part = &join->part;
  void *vector = NULL; /* owned: one as it is stored */
  int rc = ann_part_begin(part, right, join->k, INT64_MAX, 0);
  if (right->state.rows == 0 && !ann_source_may_lack(right->source)) join->done = 1;
  if (rc != ANN_OK || join->done) return rc;
  ann_free(join->ids);
  join->ids = ann_alloc_array((uint64_t)part->most, sizeof *join->ids);
  vector = ann_alloc((uint64_t)ann_store_vector_bytes(left));
  if (!join->ids || !vector) {
    rc = ANN_NOMEM;
    goto done;
  }
  rc = read_rows(join, left, &right->options.space, vector);
  asked.threads = right->options.threads;
  asked.selves = join->without_self ? join->ids : NULL;
  if (rc == ANN_OK) rc = ann_part_search(part, right, asked);
done:
  ann_free(vector);
  return rc;
}
