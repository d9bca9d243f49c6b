/* calibrate.c -- see calibrate.h. */
#include "index/calibrate.h"

#include <math.h>

#include "index/pages.h"
#include "index/places.h"
#include "index/sweep.h"
#include "index/truth.h"

/* Sampled queries.  Neighbours of one query are missed together, so that the standard
** error of a recall of .95 measured on 400 queries is about .005. */
#define SAMPLE 400
#define SMALLEST_SAMPLE 100     /* of a table of 1,000 rows; a tenth of the rows in between */
/* So many of them, spread over the others, for k = 1,000: their neighbours are dear to find,
** and there are many. */
#define LARGE_SAMPLE 48
#define SMALL_K 100
#define LARGE_K 1000            /* ann_effort_ks' last */
#define SAMPLE_BYTES \
  ((int64_t)64 << 20)   /* of sampled vectors: fewer queries if they are long */
#define CANDIDATES 2400         /* estimates kept to see where the true 100 are among them */
#define GROUP 16                /* queries swept at the same time, at most */
/* Parts of the misses that a recall allows: all that the sample may miss, and of these the
** estimates that are not kept; the rest is for what a sample does not show. */
#define MISSED_SHARE 0.85
#define ESTIMATE_SHARE 0.15

/* What one true neighbour would have cost to find. */
typedef struct Cost {
  double reach[ANN_EFFORT_RULES];   /* the rule's largest ratio up to its leaf, for each k */
  int64_t inspected;    /* entries looked at when its leaf was done */
  int64_t better;       /* estimates at least as good as its best one */
} Cost;

typedef struct Calibration {
  AnnStore *store;
  AnnPool *pool;              /* borrowed */
  AnnSweep sweep;             /* owned */
  AnnSwept swept[GROUP];      /* owned */
  int n_swept;                /* of them in use: enough to keep all workers busy */
  AnnPoll poll;
  int64_t *ids;               /* owned: the sampled queries' */
  float *vectors;             /* owned: n_wanted x dimensions, theirs */
  AnnTruth *truths;           /* owned: n_wanted, of which n_queries are made */
  int n_wanted, n_ids;        /* at most SAMPLE */
  int n_large;                /* of the sampled, the first ones: for large k too */
  Cost *costs;                /* owned: n_large x LARGE_K, then the others x SMALL_K */
  int n_queries;              /* made ready, of n_wanted */
  int n_neighbours;           /* true neighbours found of every query, <= SMALL_K */
  int n_far;                  /* the same of every one of the n_large, <= LARGE_K */
} Calibration;

static Cost *cost_at(const Calibration *c, int query, int neighbour) {
  if (query < c->n_large) return &c->costs[query * LARGE_K + neighbour];
  return &c->costs[c->n_large * LARGE_K + (query - c->n_large) * SMALL_K + neighbour];
}

static int init(Calibration *c, AnnStore *store, AnnPool *pool) {
  int64_t most = SAMPLE_BYTES / ann_store_vector_bytes(store);
  int rc, i;
  memset(c, 0, sizeof *c);
  c->store = store;
  c->pool = pool;
  c->poll.check = ann_store_tick;
  c->poll.arg = store;
  c->n_wanted = store->state.placed > 10 * SAMPLE ? SAMPLE : (int)(store->state.placed / 10);
  if (c->n_wanted < SMALLEST_SAMPLE) c->n_wanted = SMALLEST_SAMPLE;
  if (c->n_wanted > most) c->n_wanted = (int)most;
  c->ids = ann_alloc_array((uint64_t)c->n_wanted, sizeof *c->ids);
  c->vectors = ann_alloc_array((uint64_t)c->n_wanted, (uint64_t)ann_store_vector_bytes(store));
  c->truths = ann_alloc_zero((uint64_t)c->n_wanted, sizeof *c->truths);
  c->n_large = c->n_wanted < LARGE_SAMPLE ? c->n_wanted : LARGE_SAMPLE;
  c->n_neighbours = SMALL_K;
  c->n_far = LARGE_K;
  c->costs = ann_alloc_array(LARGE_SAMPLE * LARGE_K + SAMPLE * SMALL_K, sizeof *c->costs);
  if (!c->ids || !c->vectors || !c->truths || !c->costs) return ANN_NOMEM;
  rc = ann_sweep_init(&c->sweep, store);
  c->n_swept = pool && c->sweep.in_memory ? 4 * ann_pool_workers(pool) : 1;
  if (c->n_swept > GROUP) c->n_swept = GROUP;
  for (i = 0; i < c->n_swept && rc == ANN_OK; i++) rc = ann_swept_init(&c->swept[i], &c->sweep);
  return rc;
}

static void clear(Calibration *c) {
  int i;
  for (i = 0; i < GROUP; i++) ann_swept_clear(&c->swept[i]);
  for (i = 0; i < c->n_queries; i++) ann_truth_clear(&c->truths[i]);
  ann_sweep_clear(&c->sweep);
  ann_free(c->ids);
  ann_free(c->vectors);
  ann_free(c->truths);
  ann_free(c->costs);
}

/* The sampled queries' vectors, and their true neighbours. */
static int find_truth(Calibration *c) {
  int64_t dimensions = c->store->options.dimensions;
  int rc = ANN_OK, i;
  for (i = 0; i < c->n_ids && rc == ANN_OK; i++) {
    float *vector = c->vectors + c->n_queries * dimensions;
    int found = 0;
    rc = ann_store_vector(c->store, c->ids[i], vector, &found);
    if (rc != ANN_OK || !found) continue;
    rc = ann_truth_init(&c->truths[c->n_queries], c->store, c->ids[i], vector,
                        c->n_queries < c->n_large ? LARGE_K : SMALL_K);
    c->n_queries += rc == ANN_OK;
  }
  if (rc == ANN_OK) rc = ann_truth_find(c->store, c->pool, c->truths, c->n_queries);
  for (i = 0; i < c->n_queries && rc == ANN_OK; i++) {
    int n = (int)c->truths[i].exact.n;
    ann_topk_sort(&c->truths[i].exact);
    if (n < c->n_neighbours) c->n_neighbours = n;
    if (i < c->n_large && n < c->n_far) c->n_far = n;
  }
  return rc;
}

/* Copies of an id among the estimates after its best one tell nothing, and would be found. */
static int64_t place_of(const AnnSwept *swept, int64_t id) {
  int64_t i = 0;
  while (i < swept->n_estimates && swept->estimates[i].id != id) i++;
  return i;
}

/* What each true neighbour of a query cost. */
static int learn(Calibration *c, int query, const AnnSwept *swept) {
  const AnnTopk *truth = &c->truths[query].exact;
  int trees = c->store->options.trees, i, t;
  int rc = swept->rc;
  for (i = 0; i < truth->n && rc == ANN_OK; i++) {
    uint32_t pages[ANN_MAX_TREES] = {0};
    Cost *cost = cost_at(c, query, i);
    int found = 0;
    rc = ann_places_get(c->store, truth->items[i].id, pages, &found);
    cost->inspected = INT64_MAX;
    cost->better = place_of(swept, truth->items[i].id) + 1;
    for (t = 0; t < trees && rc == ANN_OK && found; t++) {
      const AnnMoment *moment = pages[t] < c->sweep.n_numbers ? &swept->moments[pages[t]]
                                                              : NULL;
      if (moment && moment->inspected < cost->inspected) {
        cost->inspected = moment->inspected;
        memcpy(cost->reach, moment->reach, sizeof cost->reach);
      }
    }
    if (rc == ANN_OK && cost->inspected == INT64_MAX) {
      rc = ann_store_corrupt(c->store, "place", truth->items[i].id);
    }
  }
  return rc == ANN_OK ? ann_store_tick(c->store) : rc;
}

static void sweep_some(void *arg, int64_t first, int64_t last, int worker) {
  Calibration *c = arg;
  int64_t i;
  for (i = first; i < last; i++) {
    ann_sweep_run(&c->sweep, &c->swept[i], worker == 0 ? &c->poll : NULL);
  }
}

/* Sweep the queries, a group at a time. */
static int measure(Calibration *c) {
  int rc = ANN_OK, next, n = 0, i;
  for (next = 0; next < c->n_queries && rc == ANN_OK; next += n) {
    for (n = 0; n < c->n_swept && next + n < c->n_queries; n++) {
      c->swept[n].self = c->truths[next + n].id;
      c->swept[n].vector = c->truths[next + n].origin.vector;
      c->swept[n].n_wanted = next + n < c->n_large ? ANN_SWEEP_CANDIDATES : CANDIDATES;
    }
    rc = ann_pool_run(c->sweep.in_memory ? c->pool : NULL, n, 1, sweep_some, c, &c->poll);
    for (i = 0; i < n && rc == ANN_OK; i++) rc = learn(c, next + i, &c->swept[i]);
  }
  return rc;
}

/* The value that would be at `at` if they were sorted; their order changes (Hoare's FIND). */
static double value_at(double *values, int64_t n, int64_t at) {
  int64_t from = 0, to = n - 1;
  while (from < to) {
    double pivot = values[from + (to - from) / 2];
    int64_t i = from, j = to;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        double value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    }
    if (at <= j) to = j;
    else if (at >= i) from = i;
    else break;
  }
  return values[at];
}

/* The smallest bound that a share of n values does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static double quantile(double *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  return value_at(values, n, at < n ? at : n - 1);
}

/* Beyond every reach: a neighbour that the patience of the rule does not get to. */
#define OUT_OF_REACH 1e30
#define LEAST_REACH 1e-6

/* What the k nearest of every query cost, for the fit of one row of the grid. */
typedef struct Sampled {
  const Calibration *c;
  int k, n_queries;
  int rule;                   /* of ANN_EFFORT_RULES */
  double *values;             /* owned: as many as there are neighbours */
} Sampled;

static int64_t n_sampled(const Sampled *s) { return (int64_t)s->n_queries * s->k; }

static const Cost *sampled(const Sampled *s, int64_t i) {
  return cost_at(s->c, (int)(i / s->k), (int)(i % s->k));
}

/* One cell.  First how many estimates to keep; then, counting what they lose, how far to
** walk: by entries alone, and by the rule, which gives up at its patience. */
static void fit_cell(const Sampled *s, double miss, AnnEffort *cell) {
  int64_t n = n_sampled(s), i;
  double patience;
  for (i = 0; i < n; i++) s->values[i] = (double)sampled(s, i)->better;
  cell->keep = (int64_t)quantile(s->values, n, 1 - ESTIMATE_SHARE * miss);
  for (i = 0; i < n; i++) {
    const Cost *cost = sampled(s, i);
    s->values[i] = cost->better > cell->keep ? OUT_OF_REACH : (double)cost->inspected;
  }
  cell->inspect = (int64_t)quantile(s->values, n, 1 - MISSED_SHARE * miss);
  patience = (double)cell->inspect * ANN_EFFORT_PATIENCE;
  for (i = 0; i < n; i++) {
    const Cost *cost = sampled(s, i);
    int lost = cost->better > cell->keep || (double)cost->inspected > patience;
    s->values[i] = lost ? OUT_OF_REACH : cost->reach[s->rule];
  }
  cell->reach = quantile(s->values, n, 1 - MISSED_SHARE * miss);
  /* 0 stands for no rule: products, and recalls that need nearly everything.  Where the first
  ** leaf is enough, the rule holds all the same. */
  if (cell->reach < LEAST_REACH) cell->reach = LEAST_REACH;
  if (s->c->store->options.metric == ANN_DOT || cell->reach >= OUT_OF_REACH) cell->reach = 0;
}

static int fit_row(const Calibration *c, int which, AnnEffort *out_cells) {
  int is_large = ann_effort_ks[which] > SMALL_K, j, rc = ANN_OK;
  int most = is_large ? c->n_far : c->n_neighbours;
  Sampled s;
  s.c = c;
  s.k = ann_effort_ks[which] < most ? ann_effort_ks[which] : most;
  s.n_queries = is_large && c->n_large < c->n_queries ? c->n_large : c->n_queries;
  s.rule = which < ANN_EFFORT_RULES ? which : ANN_EFFORT_RULES - 1;
  s.values = ann_alloc_array((uint64_t)n_sampled(&s), sizeof *s.values);
  if (!s.values) return ANN_NOMEM;
  for (j = 0; j < ANN_EFFORT_RECALLS && rc == ANN_OK; j++) {
    fit_cell(&s, 1 - ann_effort_recalls[j], &out_cells[j]);
    rc = ann_store_tick(c->store);
  }
  ann_free(s.values);
  return rc;
}

static int fit(const Calibration *c, AnnEffortGrid *out_grid) {
  int rc = ANN_OK, i;
  for (i = 0; i < ANN_EFFORT_KS && rc == ANN_OK; i++) {
    rc = fit_row(c, i, out_grid->cells[i]);
  }
  return rc;
}

/* Take some entries of a leaf, evenly spaced, until there are `due`; from a place that
** differs from leaf to leaf, for the first entries are the oldest rows. */
static void sample_leaf(Calibration *c, const AnnPage *page, double due) {
  int wanted = (int)due - c->n_ids, i;
  if (wanted > page->n) wanted = page->n;
  for (i = 0; i < wanted && c->n_ids < c->n_wanted; i++) {
    int64_t from = (int64_t)(c->n_ids - i) * 2654435761 % page->n;
    c->ids[c->n_ids++] = ann_page_id(page, (int)((from + i * page->n / wanted) % page->n));
  }
}

/* Bring to the front, from evenly spaced places, those that stand for large k as well. */
static void spread(Calibration *c) {
  int i;
  if (c->n_ids < c->n_large) c->n_large = c->n_ids;
  for (i = 1; i < c->n_large; i++) {
    int64_t *other = &c->ids[(int64_t)i * c->n_ids / c->n_large], id = *other;
    *other = c->ids[i];
    c->ids[i] = id;
  }
}

/* Entries evenly spaced over all leaves: every row has as many of them, so that the
** sample is spread like the rows are. */
static int sample(Calibration *c) {
  AnnStore *store = c->store;
  double due = 0,
         each = (double)c->n_wanted / ((double)store->state.placed * store->options.trees);
  int64_t number = 1, bytes = 0;
  int rc = ANN_OK, found = 1, page_rc = ANN_OK;
  while (rc == ANN_OK && c->n_ids < c->n_wanted) {
    AnnPage page;
    rc = ann_pages_next(store, number, &number, &page, &page_rc, &bytes, &found);
    if (rc == ANN_OK && found && page_rc != ANN_OK)
      rc = ann_store_corrupt(store, "page", number);
    if (rc != ANN_OK || !found) break;
    if (page.level == 0) {
      due += each * page.n;
      sample_leaf(c, &page, due);
    }
    ann_page_clear(&page);
    number++;
  }
  spread(c);
  return rc;
}

int ann_calibrate(AnnStore *store, AnnPool *pool) {
  Calibration c;
  AnnEffortGrid grid;
  int rc = init(&c, store, pool);
  if (rc == ANN_OK) rc = sample(&c);
  if (rc == ANN_OK) rc = find_truth(&c);
  if (rc == ANN_OK) rc = measure(&c);
  if (rc == ANN_OK && c.n_queries > 0 && c.n_neighbours > 0) {
    rc = fit(&c, &grid);
    if (rc == ANN_OK) rc = ann_effort_save(store, &grid);
  }
  store->state.calibrated_rows = store->state.placed;
  store->state.changes = 0;
  store->dirty = 1;
  clear(&c);
  return rc;
}
