/* measure.c -- see measure.h. */
#include "sql/measure.h"

#include "index/recall.h"
#include "index/trace.h"
#include "sql/value.h"

#define MANY_WAIT 256 /* rows: about as many as a search inspects in any case */

#define DEFAULT_SAMPLE 100 /* contract */

static int make_searcher(AnnTable *table) {
  return table->searcher ? ANN_OK : ann_searcher_new(table->store, &table->searcher);
}

int ann_measure_recall(const AnnCall *call) {
  AnnTable *table = call->table;
  AnnListing *listing = call->listing;
  AnnRecall measured;
  int64_t k = ANN_DEFAULT_K, sample = DEFAULT_SAMPLE, given = 0;
  double recall = ANN_DEFAULT_RECALL;
  int rc = ann_value_count(call->function, "k", call->arguments[0], &k, call->out_message);
  if (rc == ANN_OK) {
    rc = ann_value_count(call->function, "sample", call->arguments[1], &sample,
                         call->out_message);
  }
  if (rc == ANN_OK) {
    rc = ann_value_recall(call->function, "wanted_recall", call->arguments[2], &recall,
                          call->out_message);
  }
  if (rc == ANN_OK && call->arguments[3] &&
      (!ann_value_integer(call->arguments[3], &given) || given < 0 || given > 1)) {
    *call->out_message = sqlite3_mprintf(
        "%s: expected queries to be 0, for rows, or 1, for the queries given by "
        "learn, got %s",
        call->function, ann_value_kind(call->arguments[3]));
    rc = *call->out_message ? ANN_ERROR : ANN_NOMEM;
  }
  if (rc == ANN_OK) rc = make_searcher(table);
  if (rc == ANN_OK) {
    rc = ann_recall_measure(table->store, table->searcher, k, sample, recall, (int)given,
                            &measured);
  }
  if (rc != ANN_OK) return rc;
  ann_listing_number(listing, k);
  ann_listing_number(listing, measured.sample);
  if (measured.sample > 0) {
    ann_listing_real(listing, measured.recall);
    ann_listing_real(listing, measured.low);
    ann_listing_real(listing, measured.high);
  } else {
    ann_listing_null(listing);
    ann_listing_null(listing);
    ann_listing_null(listing);
  }
  return ANN_OK;
}

/* ---- ann_explain ---- */

/* A row that is no step of the search: no bytes and no time. */
static void list_count(AnnListing *listing, const char *what, int64_t count) {
  ann_listing_text(listing, what);
  ann_listing_number(listing, count);
  ann_listing_null(listing);
  ann_listing_null(listing);
}

static void list_steps(AnnListing *listing, const AnnTrace *trace) {
  int64_t total = 0;
  int i;
  for (i = 0; i < ANN_N_TRACES; i++) {
    const AnnTraced *step = &trace->steps[i];
    ann_listing_text(listing, ann_trace_name(i));
    if (i == ANN_TRACE_PLAN) {
      ann_listing_null(listing);
      ann_listing_null(listing);
    } else {
      ann_listing_number(listing, step->count);
      ann_listing_number(listing, step->bytes);
    }
    ann_listing_real(listing, (double)step->nanoseconds / 1000);
    total += step->nanoseconds;
  }
  ann_listing_text(listing, "total");
  ann_listing_null(listing);
  ann_listing_null(listing);
  ann_listing_real(listing, (double)total / 1000);
}

/* Why a search without a filter gave so few rows. */
static const char *reason(const AnnStore *store, const AnnQuery *query, int64_t n_found) {
  if (n_found >= store->state.rows || (store->content && query->search_k == 0)) {
    return "fewer: the table has no more rows";
  }
  if (query->search_k > 0) return "fewer: search_k was reached";
  return "fewer: rows of the table are missing in the index, see ann_check";
}

/* Search once with the stopwatch on. */
static int explain(const AnnCall *call, const AnnQuery *query) {
  AnnStore *store = call->table->store;
  AnnTrace trace;
  AnnTopk found;
  int64_t waiting = 0;
  int rc;
  ann_trace_start(&trace);
  store->trace = &trace;
  rc = ann_search(call->table->searcher, query, &found);
  store->trace = NULL;
  ann_trace_switch(&trace, ANN_TRACE_PLAN);
  if (rc == ANN_OK) {
    list_steps(call->listing, &trace);
    list_count(call->listing, "found", found.n);
    rc = ann_notes_count(store->notes, &waiting);
    waiting += store->state.rows - store->state.placed;
    if (waiting > MANY_WAIT && store->state.roots[0]) {
      list_count(call->listing,
                 "slow: rows wait, and every search reads them; optimize takes them in",
                 waiting);
    }
    if (found.n < query->k) {
      list_count(call->listing, reason(store, query, found.n), query->k - found.n);
    }
  }
  ann_topk_clear(&found);
  return rc;
}

static int read_query(const AnnCall *call, void *out_query) {
  const AnnStore *store = call->table->store;
  char message[ANN_VECTOR_MESSAGE];
  int rc = ann_value_query(call->arguments[0], &store->options.space, out_query, message);
  if (rc == ANN_ERROR) {
    *call->out_message = sqlite3_mprintf("%s, table %s, column %s: %s", call->function,
                                         ann_db_name(store->db), store->options.column,
                                         message);
  }
  return rc;
}

int ann_measure_explain(const AnnCall *call) {
  AnnTable *table = call->table;
  AnnQuery query;
  void *given = NULL; /* owned: the query */
  int rc;
  memset(&query, 0, sizeof query);
  query.k = ANN_DEFAULT_K;
  query.recall = ANN_DEFAULT_RECALL;
  query.recall_given = call->arguments[2] != NULL;
  rc = ann_value_count(call->function, "k", call->arguments[1], &query.k, call->out_message);
  if (rc == ANN_OK) {
    rc = ann_value_recall(call->function, "recall", call->arguments[2], &query.recall,
                          call->out_message);
  }
  if (rc == ANN_OK) {
    rc = ann_value_count(call->function, "search_k", call->arguments[3], &query.search_k,
                         call->out_message);
  }
  if (rc != ANN_OK || !call->arguments[0]) return rc; /* a NULL query finds nothing */
  given = ann_alloc((uint64_t)table->store->options.space.query_size);
  if (!given) return ANN_NOMEM;
  query.vector = given;
  rc = read_query(call, given);
  if (rc == ANN_OK) rc = make_searcher(table);
  if (rc == ANN_OK) rc = explain(call, &query);
  ann_free(given);
  return rc;
}
