/* fit.c -- see fit.h. */
#include "index/fit.h"

#include "core/topk.h"
#include "index/effort.h"
#include "index/log.h"

/* Parts of the misses that a recall allows: all that the sample may miss, and of these the
** estimates that are not kept; the rest is for what a sample does not show. */
#define MISSED_SHARE 0.85
#define ESTIMATE_SHARE 0.15

/* The smallest bound that a share of n values does not exceed.
** One value more is asked for than the share: the sample is finite (conformal
** prediction's (n share + 1) / (n + 1)). */
static double quantile(AnnRanked *values, int64_t n, double share) {
  int64_t at = (int64_t)(share * (double)n + 1);
  return ann_ranked_select(values, n, at < n ? at : n - 1);
}

/* Beyond every reach: a neighbour that the patience of the rule does not get to. */
#define OUT_OF_REACH 1e30
#define LEAST_REACH 1e-6

/* What the neighbours cost that one row of the grid is fitted to. */
typedef struct Costs {
  int rule; /* of ANN_EFFORT_RULES */
  int64_t n;
  const AnnCost **items; /* owned array of borrowed costs */
  AnnRanked *values;     /* owned: scratch, n */
} Costs;

/* Does a neighbour of that rank stand for the k nearest?  Every rank is to count alike. */
static int stands_for(int rank, int k) {
  if (k > ANN_SAMPLE_NEAR) return rank >= ANN_NEAR_RANKS && rank < ANN_SELF_RANK;
  if (k <= 10) return rank < k;
  return rank >= 9 && rank < ANN_NEAR_RANKS; /* 10, 20, ... 100 */
}

/* Of the neighbours that stand for k, for the grid's row `which`; of rows or of given
** queries. */
static int costs_init(Costs *costs, const AnnSample *sample, int given, int which, int k) {
  int n_rows = sample->n_rows < sample->n_measured ? sample->n_rows : sample->n_measured;
  int first = given ? n_rows * ANN_SAMPLE_RANKS : 0, i;
  int most = (given ? sample->n_measured : n_rows) * ANN_SAMPLE_RANKS;
  memset(costs, 0, sizeof *costs);
  costs->rule = which < ANN_EFFORT_RULES ? which : ANN_EFFORT_RULES - 1;
  costs->items = ann_alloc_array((uint64_t)most, sizeof *costs->items);
  costs->values = ann_alloc_array((uint64_t)most, sizeof *costs->values);
  if (!costs->items || !costs->values) return ANN_NOMEM;
  for (i = first; i < most; i++) {
    if (sample->costs[i].better > 0 && stands_for(i % ANN_SAMPLE_RANKS, k)) {
      costs->items[costs->n++] = &sample->costs[i];
    }
  }
  return ANN_OK;
}

static void costs_clear(Costs *costs) {
  ann_free(costs->items);
  ann_free(costs->values);
}

/* What one of them is worth, to be ranked: among equals by their order. */
static void set_value(Costs *costs, int64_t i, double value) {
  costs->values[i].key = value;
  costs->values[i].id = i;
}

/* One cell.  First how many estimates to keep; then, counting what they lose, how far to
** walk: by entries alone, and by the rule, which gives up at its patience. */
static void fit_cell(Costs *costs, double miss, AnnEffort *cell) {
  int64_t n = costs->n, i;
  double patience;
  for (i = 0; i < n; i++) set_value(costs, i, (double)costs->items[i]->better);
  cell->keep = (int64_t)quantile(costs->values, n, 1 - ESTIMATE_SHARE * miss);
  for (i = 0; i < n; i++) {
    const AnnCost *cost = costs->items[i];
    int lost = cost->better > cell->keep;
    set_value(costs, i, lost ? ANN_NOT_REACHED : (double)cost->inspected);
  }
  cell->inspect = (int64_t)quantile(costs->values, n, 1 - MISSED_SHARE * miss);
  patience = (double)cell->inspect * ANN_EFFORT_PATIENCE;
  for (i = 0; i < n; i++) {
    const AnnCost *cost = costs->items[i];
    int lost = cost->better > cell->keep || (double)cost->inspected > patience;
    set_value(costs, i, lost ? OUT_OF_REACH : (double)cost->reach[costs->rule]);
  }
  cell->reach = quantile(costs->values, n, 1 - MISSED_SHARE * miss);
}

/* A stored row is to find itself in 999 of 1,000 searches.  The second largest cost of n rows is
** exceeded by two rows in n + 1; of fewer than these it is the largest, and so much more. */
#define SELF_ROWS 2000
#define SELF_MARGIN 1.25
/* Estimates to rank cost little where a row's own is among the first, as it mostly is; where it is
** not, many are about as good, and they become more with every row. */
#define SELF_KEEP 3

/* What finds the rows themselves.  Of products a row's own is not the largest. */
static void fit_self(const AnnSample *sample, AnnEffortGrid *grid) {
  const AnnOwn *own = &sample->own;
  double least = own->second;
  if (!ann_space_is_own_nearest(sample->space)) return;
  if (own->n < SELF_ROWS) least = SELF_MARGIN * (double)own->inspected;
  grid->least_inspect = (int64_t)least;
  grid->least_keep = SELF_KEEP * (int64_t)own->better;
}

/* 0 stands for no rule: products, and recalls that need nearly everything.  Where the first
** leaf is enough, the rule holds all the same. */
static void bound_reach(int geometry, AnnEffort *cell) {
  if (cell->reach < LEAST_REACH) cell->reach = LEAST_REACH;
  if (geometry == ANN_PRODUCT || cell->reach >= OUT_OF_REACH) cell->reach = 0;
}

/* Of two cells, what is enough for both: a reach of 0 is no rule, and the most of all. */
static AnnEffort both(AnnEffort a, AnnEffort b) {
  if (a.reach != 0 && (b.reach == 0 || b.reach > a.reach)) a.reach = b.reach;
  if (b.inspect > a.inspect) a.inspect = b.inspect;
  if (b.keep > a.keep) a.keep = b.keep;
  return a;
}

/* One row of the grid, to rows as queries or to those given; as it was where nothing is
** known. */
static int fit_row(AnnStore *store, const AnnSample *sample, int given, int which,
                   AnnEffort *io_cells) {
  Costs costs;
  int j, rc = costs_init(&costs, sample, given, which, ann_effort_ks[which]);
  for (j = 0; j < ANN_EFFORT_RECALLS && rc == ANN_OK && costs.n > 0; j++) {
    AnnEffort cell = io_cells[j];
    fit_cell(&costs, 1 - ann_effort_recalls[j], &cell);
    bound_reach(sample->space->geometry, &cell);
    io_cells[j] = given && sample->n_rows > 0 ? both(io_cells[j], cell) : cell;
    rc = ann_db_tick(store->db);
  }
  costs_clear(&costs);
  return rc;
}

/* A row of which nothing is known is as the one before. */
static int fit_rows(AnnStore *store, const AnnSample *sample, AnnEffortGrid *out_grid) {
  int rc = ANN_OK, i;
  memset(out_grid, 0, sizeof *out_grid);
  for (i = 0; i < ANN_EFFORT_KS && rc == ANN_OK; i++) {
    if (i > 0) memcpy(out_grid->cells[i], out_grid->cells[i - 1], sizeof out_grid->cells[i]);
    rc = fit_row(store, sample, 0, i, out_grid->cells[i]);
    if (rc == ANN_OK) rc = fit_row(store, sample, 1, i, out_grid->cells[i]);
  }
  return rc;
}

/* News of a table that is not twice as large as at the last calibration, nor half, would come all
** the time where rows are replaced all the time. */
static void tell(const AnnStore *store, const AnnSample *sample) {
  int64_t rows = store->state.placed, before = store->state.calibrated_rows;
  if (rows < 2 * before && before < 2 * rows) return;
  ann_log_news(store->db, "measured what each recall takes, by %d queries among %lld rows",
               sample->n_measured, (long long)rows);
}

int ann_fit(AnnStore *store, const AnnSample *sample) {
  AnnEffortGrid grid;
  int rc;
  if (sample->n_measured == 0) return ANN_OK;
  rc = fit_rows(store, sample, &grid);
  fit_self(sample, &grid);
  if (rc == ANN_OK) rc = ann_effort_save(store->efforts, &grid);
  if (rc == ANN_OK) tell(store, sample);
  return rc;
}
