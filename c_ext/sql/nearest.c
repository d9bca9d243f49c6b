/* nearest.c -- see nearest.h. */
#include "sql/nearest.h"

#include <math.h>

#include "core/metric.h"
#include "core/vector.h"
#include "index/search.h"
#include "sql/value.h"

#define FIRST_BATCH 256         /* a larger k is begun with this many */
#define BATCH_GROWTH 4
#define SMALL_TABLE \
  16384       /* rows; so many are soon scored, so that no batches are needed
                                ** and no row can be missed by them */

static int refuse(char **out_message, char *message) {
  sqlite3_free(*out_message);
  *out_message = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* The value of an argument, or NULL when it was not given or is NULL. */
static sqlite3_value *given(int index_number, sqlite3_value **argv, int argument) {
  int at = ann_plan_argument(index_number, argument);
  return at < 0 || sqlite3_value_type(argv[at]) == SQLITE_NULL ? NULL : argv[at];
}

/* ---- arguments ---- */

/* k, recall, search_k, max_distance. */
static int read_limits(AnnNearest *nearest, const char *function, int index_number,
                       sqlite3_value **argv, char **out_message) {
  sqlite3_value *value = given(index_number, argv, ANN_ARG_K);
  int rc = ann_value_count(function, "k", value, &nearest->k, out_message);
  nearest->k_given = value != NULL;
  if (rc != ANN_OK) return rc;
  value = given(index_number, argv, ANN_ARG_RECALL);
  nearest->recall_given = value != NULL;
  rc = ann_value_recall(function, "recall", value, &nearest->recall, out_message);
  if (rc != ANN_OK) return rc;
  value = given(index_number, argv, ANN_ARG_SEARCH_K);
  rc = ann_value_count(function, "search_k", value, &nearest->search_k, out_message);
  if (rc != ANN_OK) return rc;
  value = given(index_number, argv, ANN_ARG_MAX_DISTANCE);
  nearest->limit_given = value != NULL;
  return ann_value_distance(function, "max_distance", value, &nearest->max_distance,
                            out_message);
}

static int read_ids(AnnNearest *nearest, int index_number, sqlite3_value **argv) {
  int at = ann_plan_argument(index_number, ANN_ARG_IDS), rc = ANN_OK;
  nearest->has_only = at >= 0;
  if (at >= 0) rc = ann_value_ids(argv[at], &nearest->only);
  at = ann_plan_argument(index_number, ANN_ARG_EXCLUDE);
  if (rc == ANN_OK && at >= 0) rc = ann_value_ids(argv[at], &nearest->exclude);
  return rc;
}

/* The query vector; eof when it is NULL or names no row. */
static int read_query(AnnNearest *nearest, AnnTable *table, const AnnPlanColumns *columns,
                      int index_number, sqlite3_value **argv, char **out_message) {
  sqlite3_value *value = given(index_number, argv, ANN_ARG_QUERY);
  char message[ANN_VECTOR_MESSAGE];
  int rc, found = 0, at;
  nearest->dimensions = table->store->options.dimensions;
  nearest->vector = ann_alloc_array((uint64_t)nearest->dimensions, sizeof(float));
  if (!nearest->vector) return ANN_NOMEM;
  if (!value) {
    nearest->eof = 1;
    return ANN_OK;
  }
  if (columns->column_of[ANN_ARG_SELF] < 0) {
    rc = ann_value_vector(value, nearest->dimensions, nearest->vector, message);
    if (rc != ANN_ERROR) return rc;
    return refuse(out_message,
                  sqlite3_mprintf("%s, table %s, column %s: %s", columns->function,
                                  nearest->name, table->store->options.column, message));
  }
  if (!ann_value_integer(value, &nearest->item)) {
    return refuse(out_message, sqlite3_mprintf("%s: expected the id of a row, got %s",
                                               columns->function, ann_value_kind(value)));
  }
  rc = ann_source_get(table->store->source, nearest->item, nearest->vector, &found);
  if (rc == ANN_OK && !found) nearest->eof = 1;
  at = ann_plan_argument(index_number, ANN_ARG_SELF);
  if (rc == ANN_OK && at >= 0 && sqlite3_value_int(argv[at])) {
    rc = ann_idset_add(&nearest->exclude, nearest->item, NULL);
  }
  nearest->has_item = found && table->store->options.metric != ANN_DOT;
  return ann_context_report(table->store, rc, out_message);
}

/* May the row that is searched for be in the answer? */
static void settle_item(AnnNearest *nearest) {
  if (nearest->has_only && !ann_idset_has(&nearest->only, nearest->item)) nearest->has_item = 0;
  if (ann_idset_has(&nearest->exclude, nearest->item)) nearest->has_item = 0;
}

static int read_arguments(AnnNearest *nearest, AnnTable *table, const AnnPlanColumns *columns,
                          int index_number, sqlite3_value **argv, char **out_message) {
  int rc = read_limits(nearest, columns->function, index_number, argv, out_message);
  if (rc == ANN_OK) rc = read_query(nearest, table, columns, index_number, argv, out_message);
  if (rc == ANN_OK) rc = read_ids(nearest, index_number, argv);
  settle_item(nearest);
  if (rc != ANN_OK || nearest->k_given) return rc;
  /* Without k: all within max_distance; MATCH goes on as long as someone reads. */
  nearest->k = nearest->limit_given || columns->column_of[ANN_ARG_TABLE] < 0 ? INT64_MAX
                                                                             : ANN_DEFAULT_K;
  return ANN_OK;
}

/* ---- batches ---- */

static int reserve(AnnNearest *nearest, int64_t n) {
  AnnRanked *larger;
  if (n <= nearest->n_allocated) return ANN_OK;
  larger = ann_realloc_array(nearest->rows, (uint64_t)n, sizeof *larger);
  if (!larger) return ANN_NOMEM;
  nearest->rows = larger;
  nearest->n_allocated = n;
  return ANN_OK;
}

/* The row that is searched for, before all others. */
static void keep_item(AnnNearest *nearest, const AnnTable *table) {
  AnnRanked *row = &nearest->rows[nearest->n_rows];
  row->id = nearest->item;
  row->key = ann_metric_distance(table->store->options.metric, nearest->vector, nearest->vector,
                                 nearest->dimensions);
  nearest->has_item = row->key <= nearest->max_distance;
  nearest->n_rows += nearest->has_item;
}

/* Does a row of a batch come after those kept? */
static int is_next(const AnnNearest *nearest, const AnnRanked *row) {
  if (nearest->has_item && row->id == nearest->item) return 0;
  if (nearest->n_rows == nearest->has_item) return 1;
  return ann_ranked_compare(row, &nearest->rows[nearest->n_rows - 1]) > 0;
}

/* Keep the rows of a batch that come after the last one kept. */
static int keep_rows(AnnNearest *nearest, const AnnTable *table, const AnnTopk *batch) {
  int64_t i;
  int rc = reserve(nearest, nearest->n_rows + batch->n + 1), beyond = 0;
  if (rc == ANN_OK && nearest->has_item && nearest->n_rows == 0) keep_item(nearest, table);
  for (i = 0; i < batch->n && nearest->n_rows < nearest->k && rc == ANN_OK; i++) {
    const AnnRanked *row = &batch->items[i];
    beyond = row->key > nearest->max_distance;
    if (beyond) break;
    if (is_next(nearest, row)) nearest->rows[nearest->n_rows++] = *row;
  }
  /* Fewer rows than asked for: there are no more. */
  nearest->exhausted = beyond || batch->n < nearest->batch_k || nearest->n_rows >= nearest->k;
  return rc;
}

static int run_batch(AnnNearest *nearest, AnnTable *table, char **out_message) {
  AnnStore *store = table->store;
  AnnQuery query;
  AnnTopk batch;
  int rc = ann_store_begin(store);
  int64_t first = store->state.rows <= SMALL_TABLE ? nearest->k : FIRST_BATCH;
  if (nearest->batch_k > 0) nearest->batch_k *= BATCH_GROWTH;
  else nearest->batch_k = nearest->k < first ? nearest->k : first;
  memset(&query, 0, sizeof query);
  memset(&batch, 0, sizeof batch);
  query.vector = nearest->vector;
  query.k = nearest->batch_k;
  query.recall = nearest->recall;
  query.recall_given = nearest->recall_given;
  query.search_k = nearest->search_k;
  query.only = nearest->has_only ? &nearest->only : NULL;
  query.exclude = nearest->exclude.n ? &nearest->exclude : NULL;
  if (rc == ANN_OK && !table->searcher) rc = ann_searcher_new(store, &table->searcher);
  if (rc == ANN_OK) rc = ann_search(table->searcher, &query, &batch);
  if (rc == ANN_OK) rc = keep_rows(nearest, table, &batch);
  ann_topk_clear(&batch);
  rc = ann_context_report(store, rc, out_message);
  ann_store_end(store);
  return rc;
}

/* Stand at row `at`, computing more when it is not there yet.  table: NULL to find it again,
** as SQLite may have replaced it since the last batch. */
static int stand_at(AnnNearest *nearest, AnnTable *table, int64_t at, char **out_message) {
  nearest->at = at;
  while (at >= nearest->n_rows && !nearest->exhausted) {
    AnnHold hold = {NULL, NULL, NULL};
    int rc = ANN_OK;
    if (!table) {
      rc = ann_context_open(nearest->context, nearest->schema, nearest->name, &hold, &table,
                            out_message);
    }
    if (rc == ANN_OK) rc = run_batch(nearest, table, out_message);
    ann_hold_clear(&hold);
    if (rc != ANN_OK) return rc;
    table = NULL;
  }
  nearest->eof = at >= nearest->n_rows;
  return ANN_OK;
}

int ann_nearest_next(AnnNearest *nearest, char **out_message) {
  return stand_at(nearest, NULL, nearest->at + 1, out_message);
}

int ann_nearest_finish(AnnNearest *nearest, char **out_message) {
  int64_t at = nearest->at;
  int rc = ANN_OK;
  while (rc == ANN_OK && !nearest->exhausted) {
    rc = stand_at(nearest, NULL, nearest->n_rows, out_message);
  }
  nearest->at = at;
  nearest->eof = at >= nearest->n_rows;
  return rc;
}

const AnnRanked *ann_nearest_row(const AnnNearest *nearest) {
  return &nearest->rows[nearest->at];
}

int64_t ann_nearest_rank(const AnnNearest *nearest) { return nearest->at + 1; }

/* ---- life, and the memory of the last result ---- */

void ann_nearest_free(AnnNearest *nearest) {
  if (!nearest) return;
  sqlite3_free(nearest->schema);
  sqlite3_free(nearest->name);
  ann_free(nearest->vector);
  ann_idset_clear(&nearest->only);
  ann_idset_clear(&nearest->exclude);
  ann_free(nearest->rows);
  ann_free(nearest);
}

static AnnNearest *allocate(AnnContext *context, const AnnTable *table) {
  AnnNearest *nearest = ann_alloc_zero(1, sizeof *nearest);
  if (!nearest) return NULL;
  nearest->context = context;
  nearest->recall = ANN_DEFAULT_RECALL;
  nearest->max_distance = INFINITY;
  nearest->schema = sqlite3_mprintf("%s", ann_db_schema(table->store->db));
  nearest->name = sqlite3_mprintf("%s", ann_db_name(table->store->db));
  if (nearest->schema && nearest->name) return nearest;
  ann_nearest_free(nearest);
  return NULL;
}

/* The statements that are running, ours being at rest: the same in all of one run. */
static uint64_t running(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  uint64_t sum = 0;
  while ((stmt = sqlite3_next_stmt(db, stmt)) != NULL) {
    if (!sqlite3_stmt_busy(stmt)) continue;
    sum += ((uint64_t)(uintptr_t)stmt ^
            (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0)) *
           0x9E3779B97F4A7C15u;
  }
  return sum;
}

/* Before anything is read: only the statements; the rest after. */
static void stamp_state(AnnStamp *stamp, AnnContext *context, const char *schema) {
  sqlite3_file_control(context->db, schema, SQLITE_FCNTL_DATA_VERSION, &stamp->data_version);
  stamp->total_changes = sqlite3_total_changes(context->db);
  stamp->generation = context->generation;
}

static int same_ids(const AnnIdSet *a, const AnnIdSet *b) {
  uint64_t i;
  if (a->n != b->n) return 0;
  for (i = 0; i < a->n_slots; i++) {
    if (a->marks[i] && !ann_idset_has(b, a->slots[i])) return 0;
  }
  return 1;
}

static int same_stamp(const AnnStamp *a, const AnnStamp *b) {
  return a->statements == b->statements && a->data_version == b->data_version &&
         a->total_changes == b->total_changes && a->generation == b->generation;
}

/* Does the earlier result answer the same question? */
static int answers(const AnnNearest *old, const AnnNearest *now) {
  return old && same_stamp(&old->stamp, &now->stamp) && strcmp(old->name, now->name) == 0 &&
         strcmp(old->schema, now->schema) == 0 && old->dimensions == now->dimensions &&
         old->k == now->k && old->recall == now->recall && old->search_k == now->search_k &&
         old->recall_given == now->recall_given && old->max_distance == now->max_distance &&
         old->has_item == now->has_item && (!old->has_item || old->item == now->item) &&
         old->has_only == now->has_only && same_ids(&old->only, &now->only) &&
         same_ids(&old->exclude, &now->exclude) &&
         memcmp(old->vector, now->vector, (size_t)now->dimensions * sizeof(float)) == 0;
}

int ann_nearest_open(AnnContext *context, AnnTable *table, const AnnPlanColumns *columns,
                     int index_number, sqlite3_value **argv, AnnNearest **spare,
                     AnnNearest **out_nearest, char **out_message) {
  AnnNearest *nearest = allocate(context, table);
  int rc;
  *out_nearest = NULL;
  if (!nearest) {
    ann_nearest_free(*spare);
    *spare = NULL;
    return ANN_NOMEM;
  }
  nearest->stamp.statements = running(context->db);
  rc = ann_store_begin(table->store);
  rc = ann_context_report(table->store, rc, out_message);
  if (rc == ANN_OK) {
    rc = read_arguments(nearest, table, columns, index_number, argv, out_message);
  }
  stamp_state(&nearest->stamp, context, nearest->schema);
  if (rc == ANN_OK && !nearest->eof && answers(*spare, nearest)) {
    (*spare)->eof = 0;
    ann_nearest_free(nearest);
    nearest = *spare;
    *spare = NULL;
  }
  if (rc == ANN_OK && !nearest->eof) rc = stand_at(nearest, table, 0, out_message);
  ann_store_end(table->store);
  ann_nearest_free(*spare);
  *spare = NULL;
  if (rc != ANN_OK) {
    ann_nearest_free(nearest);
    return rc;
  }
  *out_nearest = nearest;
  return ANN_OK;
}
