/* mmr.c -- see mmr.h. */
#include "core/mmr.h"

#include <math.h>

/* What is known of a row of the pool. */
typedef struct Candidate {
  double apart; /* from the nearest row that is taken */
  int is_taken;
} Candidate;

/* The place of the row that is to be taken next.  Infinite distances must not make NaN. */
static int64_t next_of(const AnnRanked *pool, const Candidate *rows, int64_t n,
                       double diversity) {
  double least = INFINITY;
  int64_t best = -1, i;
  for (i = 0; i < n; i++) {
    double near = diversity < 1 ? (1 - diversity) * pool[i].key : 0;
    double apart = diversity > 0 ? diversity * rows[i].apart : 0;
    double value = near - apart;
    if (rows[i].is_taken) continue;
    if (value != value) value = INFINITY;
    if (best >= 0 && !(value < least)) continue;
    least = value;
    best = i;
  }
  return best;
}

/* Row `taken` is taken: how far are the others from it? */
static void take(const AnnSpace *space, const void *vectors, Candidate *rows, int64_t n,
                 int64_t taken, void *query) {
  const uint8_t *at = vectors;
  AnnOrigin origin;
  int64_t i;
  rows[taken].is_taken = 1;
  ann_space_as_query(space, at + taken * space->blob_size, query);
  ann_origin_init(&origin, space, query);
  for (i = 0; i < n; i++) {
    double apart;
    if (rows[i].is_taken) continue;
    apart = ann_origin_distance(&origin, at + i * space->blob_size);
    if (apart < rows[i].apart) rows[i].apart = apart;
  }
}

/* The rows taken first, then the others. */
static void put_in_order(AnnRanked *pool, const Candidate *rows, int64_t n,
                         const int64_t *taken, int64_t k, AnnRanked *room) {
  int64_t i, at = k;
  for (i = 0; i < k; i++) room[i] = pool[taken[i]];
  for (i = 0; i < n; i++) {
    if (!rows[i].is_taken) room[at++] = pool[i];
  }
  memcpy(pool, room, (size_t)n * sizeof *pool);
}

int ann_mmr_choose(const AnnSpace *space, AnnRanked *pool, const void *vectors, int64_t n,
                   int64_t k, double diversity, const AnnPoll *poll) {
  Candidate *rows = ann_alloc_array((uint64_t)n, sizeof *rows);  /* owned */
  int64_t *taken = ann_alloc_array((uint64_t)n, sizeof *taken);  /* owned */
  AnnRanked *room = ann_alloc_array((uint64_t)n, sizeof *room);  /* owned */
  void *query = ann_alloc_array((uint64_t)space->query_size, 1); /* owned */
  int64_t i;
  int rc = rows && taken && room && query ? ANN_OK : ANN_NOMEM;
  if (k > n) k = n;
  for (i = 0; i < n && rc == ANN_OK; i++) rows[i] = (Candidate){INFINITY, 0};
  for (i = 0; i < k && rc == ANN_OK; i++) {
    taken[i] = i == 0 ? 0 : next_of(pool, rows, n, diversity);
    take(space, vectors, rows, n, taken[i], query);
    rc = ann_poll(poll);
  }
  if (rc == ANN_OK) put_in_order(pool, rows, n, taken, k, room);
  ann_free(rows);
  ann_free(taken);
  ann_free(room);
  ann_free(query);
  return rc;
}
