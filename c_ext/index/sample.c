/* sample.c -- see sample.h. */
#include "index/sample.h"

#include "core/idset.h"
#include "core/rng.h"
#include "index/learned.h"
#include "index/pages.h"

#define FEWEST_QUERIES 100
#define VECTOR_BYTES ((int64_t)64 << 20)   /* fewer queries if their vectors are long */
#define TRIES 20                /* entries drawn for each query wanted, at most */
#define KEY_SAMPLE 0x736d70u    /* "smp": apart from the streams of core/tree.c */
#define GOLDEN 0x9E3779B97F4A7C15u /* 2^64 / the golden ratio: i x this is evenly spread */

/* ---- life ---- */

int ann_sample_size(const AnnStore *store, int64_t rows_each, int most) {
  int64_t room = VECTOR_BYTES / ann_store_vector_bytes(store);
  int64_t n = store->state.placed / rows_each;
  if (n > most) n = most;
  if (n < FEWEST_QUERIES) n = FEWEST_QUERIES;
  return (int)(n < room ? n : room);
}

int ann_sample_init(AnnSample *sample, AnnStore *store, int n_wanted) {
  memset(sample, 0, sizeof *sample);
  sample->store = store;
  sample->n_wanted = n_wanted;
  sample->ids = ann_alloc_array((uint64_t)n_wanted, sizeof *sample->ids);
  sample->vectors =
      ann_alloc_array((uint64_t)n_wanted, (uint64_t)ann_store_vector_bytes(store));
  sample->truths =
      ann_alloc_zero((uint64_t)n_wanted + 2 * ANN_SAMPLE_MOST_FAR, sizeof *sample->truths);
  sample->costs = ann_alloc_zero((uint64_t)n_wanted * ANN_SAMPLE_RANKS, sizeof *sample->costs);
  if (!sample->ids || !sample->vectors || !sample->truths || !sample->costs) return ANN_NOMEM;
  return ANN_OK;
}

void ann_sample_clear(AnnSample *sample) {
  int i;
  for (i = 0; i < sample->n_truths; i++) ann_truth_clear(&sample->truths[i]);
  ann_free(sample->ids);
  ann_free(sample->vectors);
  ann_free(sample->truths);
  ann_free(sample->costs);
  memset(sample, 0, sizeof *sample);
}

/* ---- picking ---- */

/* The leaves of the forest, in the order of their directories. */
typedef struct Leaves {
  uint32_t *numbers; /* owned: room for state.leaf_pages */
  int64_t n, most;
} Leaves;

static int add_leaves(AnnStore *store, uint32_t number, uint32_t parent, int tree, int level,
                      Leaves *leaves) {
  AnnPage *page = NULL;
  int rc = ann_pages_reach(store, store, number, parent, tree, level, &page), n, i;
  if (rc != ANN_OK) return rc;
  level = page->level;
  n = page->n;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    int64_t child = ann_page_id(page, i);
    if (child <= 0 || child > UINT32_MAX || leaves->n == leaves->most) {
      return ann_db_corrupt(store->db, "page", number);
    }
    if (level == 1) leaves->numbers[leaves->n++] = (uint32_t)child;
    else rc = add_leaves(store, (uint32_t)child, number, tree, level - 1, leaves);
  }
  return rc == ANN_OK ? ann_db_tick(store->db) : rc;
}

static int find_leaves(AnnStore *store, Leaves *leaves) {
  int rc = ANN_OK, tree;
  memset(leaves, 0, sizeof *leaves);
  leaves->most = store->state.leaf_pages;
  leaves->numbers = ann_alloc_array((uint64_t)leaves->most, sizeof *leaves->numbers);
  if (!leaves->numbers) return ANN_NOMEM;
  for (tree = 0; tree < store->options.trees && rc == ANN_OK; tree++) {
    rc = add_leaves(store, store->state.roots[tree], 0, tree, ANN_ANY_LEVEL, leaves);
  }
  return rc;
}

/* Take a row as a query. */
static int add_query(AnnSample *sample, int64_t id) {
  AnnStore *store = sample->store;
  float *vector = sample->vectors + sample->n * store->options.dimensions;
  int found = 0, rc = ann_source_get(store->source, id, vector, &found);
  if (rc == ANN_OK && !found) rc = ann_db_corrupt(store->db, "vector", id);
  if (rc == ANN_OK) sample->ids[sample->n++] = id;
  return rc;
}

/* One try: a leaf, kept as often as it is full, and one of its entries, so that every row is as
** likely as any other. */
static int draw(AnnSample *sample, const Leaves *leaves, int64_t i, AnnRng *rng,
                AnnIdSet *taken) {
  AnnStore *store = sample->store;
  uint64_t place = (uint64_t)i * GOLDEN >> 32;
  AnnPage *page = NULL;
  int64_t id;
  int is_new = 0;
  int rc = ann_pages_get(store, leaves->numbers[place * (uint64_t)leaves->n >> 32],
                         ANN_ANY_TREE, 0, &page);
  if (rc != ANN_OK) return rc;
  id = (int64_t)ann_rng_below(rng, (uint64_t)page->capacity);
  if (id >= page->n) return ANN_OK;
  id = ann_page_id(page, (int)id);
  rc = ann_idset_add(taken, id, &is_new);
  if (rc == ANN_OK && is_new) rc = add_query(sample, id);
  if (ann_pages_over_budget(store)) ann_pages_trim_leaves(store);
  return rc;
}

static int at_most(int n, int most) { return n < most ? n : most; }

int ann_sample_query(const AnnSample *sample, int i) {
  if (i < sample->n) return i;
  i -= sample->n;
  return i < sample->n_far ? i : sample->n_rows + i - sample->n_far;
}

int ann_sample_make_truths(AnnSample *sample) {
  int rc = ANN_OK, i;
  sample->n_far = at_most(sample->n_rows, ANN_SAMPLE_MOST_FAR);
  sample->n_given_far = at_most(sample->n - sample->n_rows, ANN_SAMPLE_MOST_FAR);
  for (i = 0; i < sample->n + sample->n_far + sample->n_given_far && rc == ANN_OK; i++) {
    int query = ann_sample_query(sample, i);
    rc = ann_truth_init(
        &sample->truths[i], sample->store, query < sample->n_rows ? &sample->ids[query] : NULL,
        ann_sample_vector(sample, query), i < sample->n ? ANN_SAMPLE_NEAR : ANN_SAMPLE_FAR);
    sample->truths[i].thinned = i >= sample->n;
    sample->n_truths += rc == ANN_OK;
  }
  return rc;
}

/* The queries that the user gave, after the rows. */
static int take_given(AnnSample *sample) {
  AnnLearned *learned = NULL;
  size_t size = (size_t)ann_store_vector_bytes(sample->store);
  int rc = ann_learned_get(sample->store, &learned);
  int64_t i;
  sample->n_rows = sample->n;
  for (i = 0; rc == ANN_OK && i < learned->n && sample->n < sample->n_wanted; i++) {
    memcpy(sample->vectors + sample->n * sample->store->options.dimensions,
           learned->vectors + i * sample->store->options.dimensions, size);
    sample->ids[sample->n++] = 0;
  }
  return rc;
}

int ann_sample_pick(AnnSample *sample, int n_rows) {
  AnnStore *store = sample->store;
  AnnRng rng = ann_rng_keyed((uint64_t)store->options.seed, KEY_SAMPLE,
                             (uint64_t)(store->state.placed + store->state.changes));
  AnnIdSet taken;
  Leaves leaves;
  int64_t i;
  int rc = find_leaves(store, &leaves);
  ann_idset_init(&taken);
  for (i = 0; rc == ANN_OK && leaves.n > 0 && sample->n < n_rows && i < (int64_t)TRIES * n_rows;
       i++) {
    rc = draw(sample, &leaves, i, &rng, &taken);
  }
  ann_free(leaves.numbers);
  ann_idset_clear(&taken);
  if (rc == ANN_OK) rc = take_given(sample);
  return rc == ANN_OK ? ann_sample_make_truths(sample) : rc;
}

/* ---- looking ---- */

void ann_sample_sort(AnnSample *sample) {
  int i;
  for (i = 0; i < sample->n_truths; i++) ann_topk_sort(&sample->truths[i].exact);
}

/* The thinned truth of a query, or -1. */
static int far_of(const AnnSample *sample, int query) {
  int given = query - sample->n_rows;
  if (given < 0) return query < sample->n_far ? sample->n + query : -1;
  return given < sample->n_given_far ? sample->n + sample->n_far + given : -1;
}

const AnnRanked *ann_sample_neighbour(const AnnSample *sample, int query, int rank) {
  const AnnTopk *exact = &sample->truths[query].exact;
  int64_t at = rank < 10 ? rank : 10 * (rank - 8) - 1;
  if (rank == ANN_SELF_RANK) return NULL;
  if (rank >= ANN_NEAR_RANKS) {
    int far = far_of(sample, query);
    if (far < 0) return NULL;
    exact = &sample->truths[far].exact;
    at = (rank - ANN_NEAR_RANKS + 1) * exact->n / ANN_FAR_RANKS - 1;
  }
  return at >= 0 && at < exact->n ? &exact->items[at] : NULL;
}

AnnCost *ann_sample_costs(const AnnSample *sample, int query) {
  return &sample->costs[query * ANN_SAMPLE_RANKS];
}

const float *ann_sample_vector(const AnnSample *sample, int query) {
  return sample->vectors + query * sample->store->options.dimensions;
}
