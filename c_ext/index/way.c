/* way.c -- see way.h. */
#include "index/way.h"

/* Microseconds: docs/MEASUREMENTS.md, "costs", and docs/FIGURES.md, "filters". */
typedef struct Cost {
  double row;   /* reading one vector by id and measuring it */
  double entry; /* estimating one entry of a leaf */
} Cost;

#define COST_ROW 2.5    /* out of the database */
#define COST_ENTRY 0.03 /* with the leaf's page */
/* Out of memory, and each byte of a vector, or bit of a code. */
#define COST_HELD_ROW 0.05
#define COST_HELD_BYTE 0.0001
#define COST_HELD_ENTRY 0.004
#define COST_HELD_BIT 0.00002

/* A scan in order of id costs less than half of as many look-ups. */
#define SCAN 0.4
#define MANY 1e15 /* entries: more than there are */
/* Vectors of so many bytes are mostly in memory: cache_mb has room for them if nobody changed it.
** What this connection may keep is not asked: that must not change an answer. */
#define HELD_BYTES ((int64_t)256 << 20)

/* A search for all rows is planned as if nothing were in memory, where tables are small enough for
** that to matter. */
static Cost cost_of(const AnnStore *store, const AnnQuery *query) {
  int64_t bytes = ann_store_vector_bytes(store);
  Cost cost = {COST_ROW, COST_ENTRY};
  if (store->state.rows <= HELD_BYTES / bytes && ann_query_is_filtered(query) &&
      ann_source_may_keep(store->source)) {
    cost.row = COST_HELD_ROW + (double)bytes * COST_HELD_BYTE;
    cost.entry = COST_HELD_ENTRY + (double)store->rotation.length * COST_HELD_BIT;
  }
  return cost;
}

static int is_by_rule(const AnnEffort *effort) { return effort->reach > 0; }

/* What search_k makes of it: how far to walk is then known, and how much of that to rank. */
static void limit(const AnnStore *store, const AnnQuery *query, int64_t k, AnnEffort *effort) {
  int trees = store->options.trees;
  effort->least = 0;
  if (!query->recall_given) effort->inspect = INT64_MAX;
  if (effort->keep > query->search_k) effort->keep = query->search_k;
  if (effort->keep < trees * k) effort->keep = trees * k;
}

/* A search for k of rows that are `share` of those around: one for k / share of all, of which it
** keeps its part.  Where they are rarer than elsewhere, they become more the farther it looks, and
** so do those that seem as near as the k-th: that part is then the one of the whole table. */
static int effort_among(const AnnStore *store, const AnnQuery *query, int64_t k, double share,
                        double recall, AnnEffort *effort) {
  double all = (double)k / share, beyond = 1, keep;
  AnnEffort more;
  int rc = ann_effort_for(store->efforts, k, recall, effort);
  if (rc != ANN_OK || k >= ANN_EFFORT_LARGEST_K || !(all > (double)k)) return rc;
  /* Beyond the calibration work grows with the rows, at most. */
  if (all > ANN_EFFORT_LARGEST_K) beyond = all / ANN_EFFORT_LARGEST_K;
  rc = ann_effort_for(store->efforts, (int64_t)(all / beyond), recall, &more);
  all = (double)more.inspect * beyond;
  effort->inspect = all < MANY ? (int64_t)all : (int64_t)MANY;
  if (effort->reach < more.reach) effort->reach = more.reach;
  keep = (double)more.keep * beyond * ann_query_share(query, store->state.rows);
  if (keep > MANY) keep = MANY;
  if (keep > (double)effort->keep) effort->keep = (int64_t)keep;
  return rc;
}

int ann_way_plan(AnnStore *store, const AnnQuery *query, int64_t k, double share,
                 AnnWay *out_way) {
  AnnEffort *effort = &out_way->effort;
  Cost cost = cost_of(store, query);
  double all = (double)store->state.placed * store->options.trees;
  double noted = query->noted ? (double)query->noted->n : 0;
  double rows = query->only ? (double)query->only->n
                            : ((double)store->state.rows + noted) * SCAN;
  /* search_k alone says how far to walk; what it finds there is to be kept. */
  double recall = query->search_k > 0 && !query->recall_given ? 0.9999 : query->recall;
  int rc = effort_among(store, query, k, share, recall < 1 ? recall : 0.9999, effort);
  out_way->usual = effort->inspect;
  if (is_by_rule(effort) && effort->inspect < INT64_MAX / ANN_EFFORT_PATIENCE) {
    effort->inspect *= ANN_EFFORT_PATIENCE;
  }
  if (query->search_k > 0) limit(store, query, k, effort);
  out_way->entry = cost.entry;
  out_way->exact = rows * cost.row;
  if ((double)out_way->usual > all) out_way->usual = (int64_t)all;
  out_way->walk = (double)out_way->usual * cost.entry + (double)effort->keep * cost.row +
                  (query->only ? 0 : noted * cost.row);
  return rc;
}
