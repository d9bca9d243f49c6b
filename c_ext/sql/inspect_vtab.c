/* inspect_vtab.c -- see inspect_vtab.h.  One virtual table, six ways to fill it. */
#include "sql/inspect_vtab.h"

#include "core/format.h"
#include "core/kernel.h"
#include "core/metric.h"
#include "core/vector.h"
#include "index/check.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/rows.h"
#include "sql/measure.h"

/* One table function.  Its hidden columns are `table` and then its further arguments. */
typedef struct Inspector {
  const char *name;
  const char *declaration;
  const char *usage;              /* "expected …"; NULL: the name of an ann table alone */
  int n_columns;                  /* visible */
  const char *arguments[ANN_MAX_ARGUMENTS];   /* after `table` */
  int n_needed;                   /* the first so many of them must be given */
  int n_shown; /* the first so many may be given by the first columns too */
  int by_key; /* can be filled for one value of the first column alone */
  /* Called inside ann_store_begin, unless `raw`. */
  int (*fill)(const AnnCall *call);
  int raw;
} Inspector;

typedef struct Function {
  sqlite3_vtab base;
  AnnContext *context; /* borrowed */
  const Inspector *inspector;
} Function;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  AnnListing listing; /* owned */
  int64_t row;
  sqlite3_value *asked[1 + ANN_MAX_ARGUMENTS]; /* owned: table and arguments, read back */
} Cursor;

/* What a module is registered with. */
typedef struct Registration {
  AnnContext *context;
  const Inspector *inspector;
} Registration;

/* ---- what there is to tell; recall and explain are in measure.c ---- */

static void info_number(AnnListing *listing, const char *key, int64_t value) {
  ann_listing_text(listing, key);
  ann_listing_number(listing, value);
}

static void info_text(AnnListing *listing, const char *key, const char *value) {
  ann_listing_text(listing, key);
  ann_listing_text(listing, value);
}

/* Bytes of a shadow table's pages where SQLite was built with dbstat, else of its blobs. */
static int table_bytes(const AnnStore *store, const char *suffix, const char *column,
                       int64_t *out_bytes) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf("SELECT sum(pgsize) FROM dbstat('%q', 1) WHERE name = '%q_%q' "
                              "COLLATE NOCASE",
                              ann_db_schema(store->db), ann_db_name(store->db), suffix);
  int rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &stmt, NULL) : ANN_NOMEM;
  sqlite3_free(sql);
  if (rc != ANN_OK && rc != ANN_NOMEM) {
    sql = sqlite3_mprintf("SELECT sum(coalesce(length(\"%w\"), 0) + 12) FROM \"%w\".\"%w_%w\"",
                          column, ann_db_schema(store->db), ann_db_name(store->db), suffix);
    rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &stmt, NULL) : ANN_NOMEM;
    sqlite3_free(sql);
  }
  if (rc == ANN_OK && sqlite3_step(stmt) == SQLITE_ROW)
    *out_bytes = sqlite3_column_int64(stmt, 0);
  return rc == ANN_OK ? sqlite3_finalize(stmt) : rc;
}

/* The two sizes, which read whole tables: only when they are asked for. */
static int fill_bytes(AnnStore *store, const char *key, AnnListing *listing) {
  int64_t pages = 0, places = 0, waiting = 0, vectors = 0;
  int rc = ANN_OK;
  if (!key || sqlite3_stricmp(key, "index_bytes") == 0) {
    rc = table_bytes(store, "pages", "data", &pages);
    if (rc == ANN_OK) rc = table_bytes(store, "places", "pages", &places);
    if (rc == ANN_OK) rc = table_bytes(store, "waiting", "last", &waiting);
    info_number(listing, "index_bytes", pages + places + waiting);
  }
  if (rc == ANN_OK && (!key || sqlite3_stricmp(key, "vector_bytes") == 0)) {
    rc = table_bytes(store, "vectors", "vector", &vectors);
    info_number(listing, "vector_bytes", vectors);
  }
  return rc;
}

static int fill_info(const AnnCall *call) {
  AnnLearnedQueries learned;
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  const AnnState *state = &store->state;
  const AnnOptions *options = &store->options;
  int rc;
  info_number(listing, "format", ANN_FORMAT_VERSION);
  info_number(listing, "rows", state->rows);
  info_number(listing, "waiting", state->rows - state->placed);
  info_text(listing, "column", options->column);
  info_number(listing, "dimensions", options->dimensions);
  info_text(listing, "type", ann_type_name(options->type));
  info_text(listing, "metric", ann_metric_name(options->metric));
  info_number(listing, "seed", options->seed);
  info_number(listing, "trees", options->trees);
  info_number(listing, "leaf_capacity", options->leaf_capacity);
  info_number(listing, "leaf_pages", state->leaf_pages);
  info_number(listing, "directory_pages", state->directory_pages);
  rc = fill_bytes(store, call->key, listing);
  info_number(listing, "planted_rows", state->planted_rows);
  info_number(listing, "calibrated_rows", state->calibrated_rows);
  info_number(listing, "changes", state->changes);
  rc = rc == ANN_OK ? ann_learned_get(store->learned, &learned) : rc;
  if (rc == ANN_OK) info_number(listing, "learned", learned.n);
  info_text(listing, "backend", ann_kernels()->name);
  info_number(listing, "cache_bytes", store->budget.pages + ann_rows_bytes(store->rows));
  info_number(listing, "cache_hits", ann_pages_hits(store->pages) + ann_rows_hits(store->rows));
  info_number(listing, "searches", store->n_searches);
  info_number(listing, "inspected", store->n_inspected);
  info_number(listing, "absorb", call->table->absorb);
  return rc;
}

/* Per tree: walk the stored pages and count. */
static int fill_trees(const AnnCall *call) {
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  AnnStoredPage each = {0};
  int64_t leaves[ANN_MAX_TREES] = {0}, directories[ANN_MAX_TREES] = {0};
  int64_t entries[ANN_MAX_TREES] = {0}, fullest[ANN_MAX_TREES] = {0},
          depth[ANN_MAX_TREES] = {0};
  int rc = ANN_OK, found = 1, t;
  while (rc == ANN_OK) {
    const AnnPage *page = &each.page;
    rc = ann_pages_each(store->pages, &each, &found);
    if (rc != ANN_OK || !found) break;
    if (!each.is_valid) rc = ann_db_corrupt(store->db, "page", each.number);
    t = page->tree;
    if (rc == ANN_OK && page->level == 0) {
      leaves[t]++;
      entries[t] += page->n;
      if (page->n > fullest[t]) fullest[t] = page->n;
    } else if (rc == ANN_OK) {
      directories[t]++;
      if (page->level > depth[t]) depth[t] = page->level;
    }
    if (rc == ANN_OK) rc = ann_db_tick(store->db);
  }
  ann_pages_end(&each);
  for (t = 0; rc == ANN_OK && store->state.roots[0] && t < store->options.trees; t++) {
    ann_listing_number(listing, t);
    ann_listing_number(listing, store->state.roots[t]);
    ann_listing_number(listing, depth[t]);
    ann_listing_number(listing, directories[t]);
    ann_listing_number(listing, leaves[t]);
    ann_listing_number(listing, entries[t]);
    ann_listing_number(listing, fullest[t]);
  }
  return rc;
}

static int fill_pages(const AnnCall *call) {
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  AnnStoredPage each = {0};
  int rc = ANN_OK, found = 1;
  while (rc == ANN_OK) {
    const AnnPage *page = &each.page;
    rc = ann_pages_each(store->pages, &each, &found);
    if (rc != ANN_OK || !found) break;
    ann_listing_number(listing, each.number);
    if (each.is_valid) {
      ann_listing_number(listing, page->tree);
      ann_listing_number(listing, page->level);
      ann_listing_text(listing, page->kind == ANN_KIND_LEAF ? "leaf" : "directory");
      ann_listing_number(listing, page->n);
      ann_listing_number(listing, page->capacity);
    } else {
      ann_listing_null(listing);
      ann_listing_null(listing);
      ann_listing_text(listing, "damaged");
      ann_listing_null(listing);
      ann_listing_null(listing);
    }
    ann_listing_number(listing, each.bytes);
    if (each.is_valid && page->parent) ann_listing_number(listing, page->parent);
    else ann_listing_null(listing);
    rc = ann_db_tick(store->db);
  }
  ann_pages_end(&each);
  return rc;
}

static int fill_check(const AnnCall *call) {
  AnnListing *listing = call->listing;
  AnnFaults *faults = ann_alloc_zero(1, sizeof *faults);
  int rc = faults ? ann_check(call->table->store, faults) : ANN_NOMEM, i;
  for (i = 0; rc == ANN_OK && i < faults->n; i++) {
    const AnnFault *fault = &faults->items[i];
    ann_listing_text(listing, fault->text);
    if (fault->has_page) ann_listing_number(listing, fault->page);
    else ann_listing_null(listing);
    if (fault->has_id) ann_listing_number(listing, fault->id);
    else ann_listing_null(listing);
  }
  if (faults) ann_faults_clear(faults);
  ann_free(faults);
  return rc;
}

static const Inspector inspectors[] = {
  {.name = "ann_info",
   .declaration = "CREATE TABLE x(key TEXT, value, \"table\" HIDDEN)",
   .n_columns = 2,
   .by_key = 1,
   .fill = fill_info},
  {.name = "ann_trees",
   .declaration =
       "CREATE TABLE x(tree INTEGER, root INTEGER, depth INTEGER, directories INTEGER, "
       "leaves INTEGER, entries INTEGER, fullest INTEGER, \"table\" HIDDEN)",
   .n_columns = 7,
   .fill = fill_trees},
  {.name = "ann_pages",
   .declaration = "CREATE TABLE x(page INTEGER, tree INTEGER, level INTEGER, kind TEXT, "
                  "entries INTEGER, capacity INTEGER, bytes INTEGER, parent INTEGER, "
                  "\"table\" HIDDEN)",
   .n_columns = 8,
   .fill = fill_pages},
  {.name = "ann_check",
   .declaration = "CREATE TABLE x(fault TEXT, page INTEGER, id INTEGER, \"table\" HIDDEN)",
   .n_columns = 3,
   .fill = fill_check,
   .raw = 1},
  {.name = "ann_recall",
   .declaration = "CREATE TABLE x(k INTEGER, sample INTEGER, recall REAL, low REAL, high REAL, "
                  "\"table\" HIDDEN, wanted_k HIDDEN, wanted_sample HIDDEN, "
                  "wanted_recall HIDDEN, queries HIDDEN)",
   .usage = "arguments (table [, k [, sample [, wanted_recall [, queries]]]])",
   .n_columns = 5,
   .arguments = {"k", "sample", "wanted_recall", "queries"},
   .n_shown = 2,
   .fill = ann_measure_recall},
  {.name = "ann_explain",
   .declaration = "CREATE TABLE x(step TEXT, count INTEGER, bytes INTEGER, microseconds REAL, "
                  "\"table\" HIDDEN, query HIDDEN, k HIDDEN, recall HIDDEN, search_k HIDDEN)",
   .usage = "arguments (table, query [, k [, recall]])",
   .n_columns = 4,
   .arguments = {"query", "k", "recall", "search_k"},
   .n_needed = 1,
   .fill = ann_measure_explain},
};
#define N_INSPECTORS ((int)(sizeof inspectors / sizeof *inspectors))

/* ---- the virtual table ---- */

static int connect_function(sqlite3 *db, void *aux, int argc, const char *const *argv,
                            sqlite3_vtab **out_vtab, char **out_message) {
  const Registration *registration = aux;
  Function *function;
  int rc = sqlite3_declare_vtab(db, registration->inspector->declaration);
  (void)argc, (void)argv, (void)out_message;
  if (rc != ANN_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  function = ann_alloc_zero(1, sizeof *function);
  if (!function) return ANN_NOMEM;
  function->context = registration->context;
  function->inspector = registration->inspector;
  *out_vtab = &function->base;
  return ANN_OK;
}

static int disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab->zErrMsg);
  ann_free(vtab);
  return ANN_OK;
}

/* What a constrained column is given for: 0 `table`, 1 … the further arguments, KEY the key
** of a listing; -1: nothing of ours, SQLite looks at the rows. */
#define KEY (1 + ANN_MAX_ARGUMENTS)

static int purpose_of(const Inspector *inspector, int column) {
  if (column >= inspector->n_columns) return column - inspector->n_columns;
  if (column >= 0 && column < inspector->n_shown) return column + 1;
  return column == 0 && inspector->by_key ? KEY : -1;
}

/* idxNum has bit i for purpose i; the values come in this order. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const Inspector *inspector = ((Function *)vtab)->inspector;
  int i, n = 0, chosen[KEY + 1];
  info->estimatedCost = 1e5;
  info->estimatedRows = 100;
  for (i = 0; i <= KEY; i++) chosen[i] = -1;
  for (i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    int purpose = purpose_of(inspector, constraint->iColumn);
    if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || purpose < 0) continue;
    if (!constraint->usable) {
      if (purpose == KEY) continue;
      return SQLITE_CONSTRAINT;
    }
    if (chosen[purpose] >= 0 && purpose > 0 && purpose < KEY) {
      vtab->zErrMsg = sqlite3_mprintf("%s: expected one value for %s, got two", inspector->name,
                                      inspector->arguments[purpose - 1]);
      return ANN_ERROR;
    }
    chosen[purpose] = i;
  }
  for (i = 0; i <= inspector->n_needed && chosen[i] >= 0; i++) {}
  if (i <= inspector->n_needed) {
    vtab->zErrMsg = sqlite3_mprintf(
        "%s: expected %s", inspector->name,
        inspector->usage ? inspector->usage : "one argument, the name of an ann table");
    return ANN_ERROR;
  }
  for (i = 0; i <= KEY; i++) {
    if (chosen[i] < 0) continue;
    info->aConstraintUsage[chosen[i]].argvIndex = ++n;
    info->aConstraintUsage[chosen[i]].omit = i != KEY;
    info->idxNum |= 1 << i;
  }
  return ANN_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  if (!cursor) return ANN_NOMEM;
  ann_listing_init(&cursor->listing, ((Function *)vtab)->inspector->n_columns);
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static void forget_arguments(Cursor *cursor) {
  int i;
  for (i = 0; i <= ANN_MAX_ARGUMENTS; i++) {
    sqlite3_value_free(cursor->asked[i]);
    cursor->asked[i] = NULL;
  }
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  ann_listing_clear(&cursor->listing);
  forget_arguments(cursor);
  ann_free(cursor);
  return ANN_OK;
}

/* What was asked, into the call, and a copy of it for the columns that read it back. */
static int read_arguments(Cursor *cursor, int purposes, sqlite3_value **argv, AnnCall *call) {
  int i, n = 0;
  for (i = 0; i <= KEY; i++) {
    sqlite3_value *value;
    if (!(purposes >> i & 1)) continue;
    value = argv[n++];
    if (i == KEY) {
      call->key = (const char *)sqlite3_value_text(value);
      continue;
    }
    cursor->asked[i] = sqlite3_value_dup(value);
    if (!cursor->asked[i]) return ANN_NOMEM;
    if (i > 0 && sqlite3_value_type(value) != SQLITE_NULL) call->arguments[i - 1] = value;
  }
  return ANN_OK;
}

static int filter(sqlite3_vtab_cursor *base, int purposes, const char *words, int argc,
                  sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  Function *function = (Function *)base->pVtab;
  const Inspector *inspector = function->inspector;
  AnnTable *table = NULL;
  AnnHold hold = {NULL, NULL, NULL};
  AnnCall call = {.function = inspector->name,
                  .listing = &cursor->listing,
                  .out_message = &base->pVtab->zErrMsg};
  int rc, begun;
  (void)words, (void)argc;
  ann_listing_clear(&cursor->listing);
  ann_listing_init(&cursor->listing, inspector->n_columns);
  cursor->row = 0;
  forget_arguments(cursor);
  rc = read_arguments(cursor, purposes, argv, &call);
  if (rc == ANN_OK) {
    rc = ann_context_find(function->context, (const char *)sqlite3_value_text(argv[0]), &hold,
                          &table, &base->pVtab->zErrMsg);
  }
  if (rc != ANN_OK) {
    char *reason = base->pVtab->zErrMsg;
    base->pVtab->zErrMsg =
        sqlite3_mprintf("%s: %s", inspector->name, reason ? reason : "out of memory");
    sqlite3_free(reason);
    return rc;
  }
  /* Pages changed in this transaction are looked at as they will be stored. */
  rc = ann_store_flush_to_look(table->store);
  begun = rc == ANN_OK && !inspector->raw;
  if (begun) rc = ann_store_begin(table->store);
  call.table = table;
  if (rc == ANN_OK) rc = inspector->fill(&call);
  if (rc == ANN_OK) rc = cursor->listing.rc;
  rc = ann_context_report(table->store, rc, &base->pVtab->zErrMsg);
  if (begun) ann_store_end(table->store);
  ann_hold_clear(&hold);
  return rc;
}

static int next(sqlite3_vtab_cursor *base) {
  ((Cursor *)base)->row++;
  return ANN_OK;
}

static int eof(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  return cursor->row >= ann_listing_rows(&cursor->listing);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  if (which >= cursor->listing.n_columns) {
    sqlite3_value *asked = cursor->asked[which - cursor->listing.n_columns];
    if (asked) sqlite3_result_value(out, asked);
  } else {
    ann_listing_result(&cursor->listing, cursor->row, which, out);
  }
  return ANN_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  *out_rowid = ((Cursor *)base)->row + 1;
  return ANN_OK;
}

static const sqlite3_module module = {
  .xConnect = connect_function,
  .xBestIndex = best_index,
  .xDisconnect = disconnect,
  .xOpen = open_cursor,
  .xClose = close_cursor,
  .xFilter = filter,
  .xNext = next,
  .xEof = eof,
  .xColumn = column,
  .xRowid = rowid,
};

static void release(void *arg) {
  Registration *registration = arg;
  ann_context_release(registration->context);
  ann_free(registration);
}

int ann_inspect_vtab_register(sqlite3 *db, AnnContext *context) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_INSPECTORS && rc == ANN_OK; i++) {
    Registration *registration = ann_alloc_zero(1, sizeof *registration);
    if (!registration) return ANN_NOMEM;
    registration->context = context;
    registration->inspector = &inspectors[i];
    context->references++;
    rc = sqlite3_create_module_v2(db, inspectors[i].name, &module, registration, release);
  }
  return rc;
}
