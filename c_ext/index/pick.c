/* pick.c -- see pick.h. */
#include "index/pick.h"

#include "core/idset.h"
#include "core/rng.h"
#include "index/walk.h"

#define TRIES 20                   /* entries drawn for each query wanted, at most */
#define KEY_SAMPLE 0x736d70u       /* "smp": apart from the streams of core/bisect.c */
#define KEY_OWN 0x6f776eu          /* "own" */
#define GOLDEN 0x9E3779B97F4A7C15u /* 2^64 / the golden ratio: i x this is evenly spread */

/* The leaves of the forest, in the order of their directories. */
typedef struct Leaves {
  uint32_t *numbers; /* owned: room for state.leaf_pages */
  int64_t n, most;
} Leaves;

/* The leaves of a directory, if that is what it leads to. */
static int add_leaves(void *arg, const AnnWalk *walk, const AnnStep *step, AnnPage *page) {
  Leaves *leaves = arg;
  int rc = ANN_OK, i;
  for (i = 0; rc == ANN_OK && step->level == 1 && i < page->n; i++) {
    AnnStep leaf;
    rc = ann_walk_child(walk, page, step->number, i, &leaf);
    if (rc != ANN_OK) break;
    if (leaves->n == leaves->most) return ann_db_corrupt(walk->store->db, "page", step->number);
    leaves->numbers[leaves->n++] = leaf.number;
  }
  return rc;
}

static int find_leaves(AnnStore *store, Leaves *leaves) {
  memset(leaves, 0, sizeof *leaves);
  leaves->most = store->state.leaf_pages;
  leaves->numbers = ann_alloc_array((uint64_t)leaves->most, sizeof *leaves->numbers);
  return leaves->numbers ? ann_walk_visit(store, add_leaves, leaves) : ANN_NOMEM;
}

/* Take a row as a query. */
static int add_query(AnnStore *store, AnnSample *sample, int64_t id) {
  const AnnSpace *space = &store->options.space;
  void *query = sample->queries + sample->n * space->query_size;
  int found = 0, rc = ann_source_get(store->source, id, query, &found);
  if (rc == ANN_OK && !found) return ann_source_lacks(store->source, id);
  if (rc != ANN_OK) return rc;
  ann_space_as_query(space, query, query);
  sample->ids[sample->n++] = id;
  return ANN_OK;
}

/* One try: a leaf, kept as often as it is full, and one of its entries, so that every row is as
** likely as any other. */
static int draw(AnnStore *store, AnnSample *sample, const Leaves *leaves, int64_t i,
                AnnRng *rng, AnnIdSet *taken) {
  uint64_t position = (uint64_t)i * GOLDEN >> 32;
  AnnPage *page = NULL;
  int64_t id;
  int is_new = 0;
  int rc = ann_pages_get(store->pages, leaves->numbers[position * (uint64_t)leaves->n >> 32],
                         ANN_ANY_TREE, 0, &page);
  if (rc != ANN_OK) return rc;
  id = (int64_t)ann_rng_below(rng, (uint64_t)page->capacity);
  if (id >= page->n) return ANN_OK;
  id = ann_page_id(page, (int)id);
  rc = ann_idset_add(taken, id, &is_new);
  if (rc == ANN_OK && is_new) rc = add_query(store, sample, id);
  if (ann_budget_is_exceeded(&store->budget)) ann_pages_trim_leaves(store->pages);
  return rc;
}

/* The queries that the user gave, after the rows. */
static int take_given(AnnStore *store, AnnSample *sample) {
  AnnLearnedQueries given;
  int64_t size = store->options.space.query_size, i;
  int rc = ann_learned_get(store->learned, &given);
  for (i = 0; rc == ANN_OK && i < given.n && sample->n < sample->n_wanted; i++) {
    memcpy(sample->queries + sample->n * size, given.queries + i * size, (size_t)size);
    sample->ids[sample->n++] = 0;
  }
  return rc;
}

/* From the try `first` on. */
static int draw_rows(AnnStore *store, AnnRng *rng, int64_t first, int n_rows,
                     AnnSample *sample) {
  AnnIdSet taken;
  Leaves leaves;
  int64_t i;
  int rc = find_leaves(store, &leaves);
  ann_idset_init(&taken);
  for (i = 0; rc == ANN_OK && leaves.n > 0 && sample->n < n_rows && i < (int64_t)TRIES * n_rows;
       i++) {
    rc = draw(store, sample, &leaves, first + i, rng, &taken);
  }
  ann_free(leaves.numbers);
  ann_idset_clear(&taken);
  sample->n_rows = sample->n;
  return rc;
}

int ann_pick_own(AnnStore *store, uint32_t turn, int n_rows, AnnSample *sample) {
  AnnRng rng = ann_rng_keyed((uint64_t)store->options.seed, KEY_OWN, turn);
  int rc = draw_rows(store, &rng, turn, n_rows, sample);
  return rc == ANN_OK ? ann_sample_make_truths(sample) : rc;
}

int ann_pick_sample(AnnStore *store, int n_rows, AnnSample *sample) {
  AnnRng rng = ann_rng_keyed((uint64_t)store->options.seed, KEY_SAMPLE,
                             (uint64_t)(store->state.placed + store->state.changes));
  int rc = draw_rows(store, &rng, 0, n_rows, sample);
  if (rc == ANN_OK) rc = take_given(store, sample);
  return rc == ANN_OK ? ann_sample_make_truths(sample) : rc;
}
