/* join.c -- see join.h. */
#include "index/join.h"

#include "index/many.h"
#include "index/search.h"

#define FIRST_ROWS 256
#define GROWTH 4
#define MOST_ROWS 16384
#define MOST_BYTES ((int64_t)32 << 20) /* of a part, but for one of a single row */
#define ROWS_PER_TICK 256

static void clear_part(AnnJoin *join) {
  int64_t i;
  for (i = 0; join->tops && i < join->n; i++) ann_topk_clear(&join->tops[i]);
  ann_free(join->tops);
  ann_free(join->ids);
  join->tops = NULL;
  join->ids = NULL;
  join->n = 0;
}

void ann_join_clear(AnnJoin *join) {
  clear_part(join);
  memset(join, 0, sizeof *join);
}

/* Rows of the next part, at most. */
static int64_t rows_of_part(const AnnJoin *join, const AnnStore *right) {
  int64_t room = MOST_BYTES / ann_many_bytes(right, join->k);
  int64_t n = join->asked ? GROWTH * join->asked : FIRST_ROWS;
  if (n > MOST_ROWS) n = MOST_ROWS;
  if (n > room) n = room;
  return n > 0 ? n : 1;
}

/* The next `most` rows, as queries of the right table. */
static int read_rows(AnnJoin *join, AnnStore *left, const AnnSpace *right, int64_t most,
                     void *vector, uint8_t *queries) {
  const AnnElement *element = left->options.space.element;
  int found = 1, rc = ann_source_scan(left->source, join->next, join->last);
  while (rc == ANN_OK && join->n < most) {
    rc = ann_source_next(left->source, &join->ids[join->n], vector, &found);
    if (rc != ANN_OK || !found) break;
    ann_query_from_other(right->element, element, vector, right->dimensions,
                         queries + join->n * right->query_size);
    if (++join->n % ROWS_PER_TICK == 0) rc = ann_db_tick(left->db);
  }
  ann_source_end(left->source);
  if (rc != ANN_OK) return rc;
  join->done = !found || join->ids[join->n - 1] == join->last;
  if (!join->done) join->next = join->ids[join->n - 1] + 1;
  return rc;
}

/* Of an ordinary table rows may be others than the forest knows, or gone: a search for each. */
static int search_each(AnnStore *right, const AnnAsked *asked, AnnTopk *out_tops) {
  AnnSearcher *searcher = NULL; /* owned */
  int64_t i;
  int rc = ann_searcher_new(right, &searcher);
  for (i = 0; i < asked->n && rc == ANN_OK; i++) {
    AnnQuery query = {.k = asked->k, .recall = asked->recall};
    query.vector = asked->queries + i * right->options.space.query_size;
    query.without_self = asked->selves != NULL;
    query.self = asked->selves ? asked->selves[i] : 0;
    rc = ann_search(searcher, &query, &out_tops[i]);
  }
  ann_searcher_free(searcher);
  return rc;
}

static int search(AnnJoin *join, AnnStore *right, const uint8_t *queries) {
  AnnAsked asked = {.n = join->n, .queries = queries, .k = join->k, .recall = join->recall};
  if (join->n == 0) return ANN_OK;
  asked.selves = join->without_self ? join->ids : NULL;
  join->tops = ann_alloc_zero((uint64_t)join->n, sizeof *join->tops);
  if (!join->tops) return ANN_NOMEM;
  return ann_source_may_lack(right->source) ? search_each(right, &asked, join->tops)
                                            : ann_many_search(right, &asked, join->tops);
}

int ann_join_read(AnnJoin *join, AnnStore *left, AnnStore *right) {
  const AnnSpace *space = &right->options.space;
  int64_t most = rows_of_part(join, right);
  void *vector = NULL;     /* owned: one as it is stored */
  uint8_t *queries = NULL; /* owned */
  int rc = ANN_NOMEM;
  clear_part(join);
  if (right->state.rows == 0 && !ann_source_may_lack(right->source)) join->done = 1;
  if (join->done) return ANN_OK;
  join->asked = most;
  join->ids = ann_alloc_array((uint64_t)most, sizeof *join->ids);
  vector = ann_alloc((uint64_t)ann_store_vector_bytes(left));
  queries = ann_alloc_array((uint64_t)most, (uint64_t)space->query_size);
  if (!join->ids || !vector || !queries) goto done;
  rc = read_rows(join, left, space, most, vector, queries);
  if (rc == ANN_OK) rc = search(join, right, queries);
done:
  ann_free(vector);
  ann_free(queries);
  return rc;
}
