/* stream.c -- see stream.h. */
#include "sql/stream.h"

#include "core/grow.h"
#include "index/search.h"
#include "sql/value.h"

#define FIRST_BATCH 256 /* a larger k is begun with this many */
#define BATCH_GROWTH 4
#define SMALL_TABLE 16384 /* rows; so many are soon scored: one batch, which misses none */

static int refuse(char **out_message, char *message) {
  sqlite3_free(*out_message);
  *out_message = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* ---- what is searched for ---- */

/* The vector that was given. */
static int read_given(AnnStream *stream, const AnnTable *table, sqlite3_value *value,
                      char **out_message) {
  char message[ANN_VECTOR_MESSAGE];
  int rc = ann_value_query(value, &table->store->options.space, stream->query, message);
  if (rc != ANN_ERROR) return rc;
  return refuse(out_message,
                sqlite3_mprintf("%s, table %s, column %s: %s", stream->form->function,
                                stream->name, table->store->options.column, message));
}

/* The row as a query, and how far it is from itself. */
static int read_row(AnnStream *stream, AnnTable *table, int *out_found) {
  const AnnSpace *space = &table->store->options.space;
  AnnOrigin origin;
  void *vector = ann_alloc((uint64_t)space->blob_size); /* owned */
  int rc = vector ? ann_source_get(table->store->source, stream->item, vector, out_found)
                  : ANN_NOMEM;
  if (rc == ANN_OK && *out_found) {
    ann_space_as_query(space, vector, stream->query);
    ann_origin_init(&origin, space, stream->query);
    stream->item_distance = ann_origin_distance(&origin, vector);
  }
  ann_free(vector);
  return rc;
}

/* The ids of an argument, or NULL where none were given. */
static const AnnBitmap *ids_of(const AnnStream *stream, int argument) {
  const AnnArgument *it = &stream->arguments.of[argument];
  return it->is_given ? &it->ids.set : NULL;
}

/* Which rows may be returned. */
static void filter(const AnnStream *stream, AnnQuery *query) {
  const AnnBitmap *only = ids_of(stream, ANN_ARG_ONLY);
  const AnnBitmap *listed = ids_of(stream, ANN_ARG_LISTED);
  const AnnBitmap *exclude = ids_of(stream, ANN_ARG_EXCLUDE);
  /* What may have to be scored is the smaller of two. */
  int is_first = only && (!listed || only->n <= listed->n);
  query->only = is_first ? only : listed;
  query->also = is_first ? listed : only;
  query->exclude = exclude && exclude->n > 0 ? exclude : NULL;
  query->without_self = stream->arguments.of[ANN_ARG_SELF].count != 0;
  query->self = stream->item;
}

/* The vector of the row whose id was given.  The row comes first when it may be in the
** answer. */
static int read_item(AnnStream *stream, AnnTable *table, sqlite3_value *value,
                     char **out_message) {
  AnnQuery query;
  int rc, found = 0;
  if (!ann_value_integer(value, &stream->item)) {
    return refuse(out_message, sqlite3_mprintf("%s: expected the id of a row, got %s",
                                               stream->form->function, ann_value_kind(value)));
  }
  rc = read_row(stream, table, &found);
  stream->exhausted = !found;
  filter(stream, &query);
  stream->has_item = found && ann_space_is_own_nearest(&table->store->options.space) &&
                     ann_query_wants(&query, stream->item);
  return ann_context_report(table->store, rc, out_message);
}

static int read_query(AnnStream *stream, AnnTable *table, sqlite3_value *value,
                      char **out_message) {
  stream->size = table->store->options.space.query_size;
  stream->query = ann_alloc_zero((uint64_t)stream->size, 1);
  if (!stream->query) return ANN_NOMEM;
  stream->exhausted = value == NULL;
  if (!value) return ANN_OK;
  return stream->form->kind == ANN_FORM_ITEM ? read_item(stream, table, value, out_message)
                                             : read_given(stream, table, value, out_message);
}

/* As many rows as the statement reads; INT64_MAX where it does not say. */
static int64_t rows_read(const AnnArguments *arguments) {
  const AnnArgument *limit = &arguments->of[ANN_ARG_LIMIT];
  const AnnArgument *offset = &arguments->of[ANN_ARG_OFFSET];
  int64_t skipped = offset->is_given ? offset->count : 0;
  if (!limit->is_given || limit->count > INT64_MAX - skipped) return INT64_MAX;
  return limit->count + skipped;
}

/* Without k: all within max_distance; MATCH goes on as long as someone reads. */
static void decide_k(AnnStream *stream) {
  AnnArgument *k = &stream->arguments.of[ANN_ARG_K];
  int is_open = stream->arguments.of[ANN_ARG_MAX_DISTANCE].is_given ||
                stream->form->kind == ANN_FORM_MATCH;
  if (!k->is_given && !is_open) k->count = ANN_DEFAULT_K;
  stream->k = k->count ? k->count : rows_read(&stream->arguments);
}

/* ---- more rows, from the index; reach() alone calls this ---- */

static double farthest(const AnnStream *stream) {
  return stream->arguments.of[ANN_ARG_MAX_DISTANCE].number;
}

/* The row that is searched for, before all others. */
static void keep_item(AnnStream *stream) {
  AnnRanked *row = &stream->rows[stream->n_rows];
  row->id = stream->item;
  row->key = stream->item_distance;
  stream->has_item = row->key <= farthest(stream);
  stream->n_rows += stream->has_item;
}

/* Does a row come after those kept? */
static int is_next(const AnnStream *stream, const AnnRanked *row) {
  if (stream->has_item && row->id == stream->item) return 0;
  if (stream->n_rows == stream->has_item) return 1;
  return ann_ranked_compare(row, &stream->rows[stream->n_rows - 1]) > 0;
}

/* Keep the rows that come after the last one kept. */
static int keep_rows(AnnStream *stream, const AnnRanked *rows, int64_t n, int done) {
  int64_t i;
  int beyond = 0;
  int rc = ann_grow(&stream->rows, stream->n_rows, n + 1, &stream->n_allocated,
                    sizeof *stream->rows);
  if (rc == ANN_OK && stream->has_item && stream->n_rows == 0) keep_item(stream);
  for (i = 0; i < n && stream->n_rows < stream->k && rc == ANN_OK; i++) {
    beyond = rows[i].key > farthest(stream);
    if (beyond) break;
    if (is_next(stream, &rows[i])) stream->rows[stream->n_rows++] = rows[i];
  }
  stream->exhausted = beyond || done || stream->n_rows >= stream->k;
  return rc;
}

/* How many rows to ask the index for at first. */
static int64_t first_k(const AnnStream *stream, const AnnStore *store) {
  int64_t first = store->state.rows <= SMALL_TABLE ? stream->k : FIRST_BATCH;
  return stream->k < first ? stream->k : first;
}

/* The searcher of this search, started: the table's, which is lent while the search goes on, or
** one of its own. */
static int take_searcher(AnnStream *stream, AnnTable *table) {
  const AnnArgument *of = stream->arguments.of;
  AnnQuery query;
  int rc = ANN_OK;
  if (stream->searcher) return ANN_OK;
  stream->searcher = table->searcher;
  table->searcher = NULL;
  if (!stream->searcher) rc = ann_searcher_new(table->store, &stream->searcher);
  if (rc != ANN_OK) return rc;
  memset(&query, 0, sizeof query);
  query.vector = stream->query;
  query.recall = of[ANN_ARG_RECALL].number;
  query.recall_given = of[ANN_ARG_RECALL].is_given;
  query.search_k = of[ANN_ARG_SEARCH_K].count;
  filter(stream, &query);
  ann_search_start(stream->searcher, &query, stream->k);
  return ANN_OK;
}

/* Give it back when there is nothing to go on with. */
static void give_searcher(AnnStream *stream, AnnTable *table) {
  if (!table || table->searcher || stream->table_serial != table->serial) {
    ann_searcher_free(stream->searcher);
  } else if (stream->searcher) {
    ann_searcher_rest(stream->searcher);
    table->searcher = stream->searcher;
  }
  stream->searcher = NULL;
}

static int reach_more(AnnStream *stream, AnnTable *table, char **out_message) {
  AnnStore *store = table->store;
  const AnnRanked *rows = NULL;
  int64_t n = 0;
  int done = 0, rc = ann_store_begin(store);
  if (rc == ANN_OK) rc = take_searcher(stream, table);
  if (rc == ANN_OK) {
    stream->asked = stream->asked ? stream->asked * BATCH_GROWTH : first_k(stream, store);
    rc = ann_search_reach(stream->searcher, stream->asked, &rows, &n, &done);
  }
  if (rc == ANN_OK) rc = keep_rows(stream, rows, n, done);
  if (stream->searcher && (rc != ANN_OK || stream->exhausted)) give_searcher(stream, table);
  rc = ann_context_report(store, rc, out_message);
  ann_store_end(store);
  return rc;
}

/* ---- rows ---- */

/* Have n rows, or all that there are. */
static int reach(AnnStream *stream, AnnTable *table, int64_t n, char **out_message) {
  int rc = ANN_OK;
  while (rc == ANN_OK && stream->n_rows < n && !stream->exhausted) {
    rc = reach_more(stream, table, out_message);
  }
  return rc;
}

/* Another took the table's name: its rows are others, and so may be its dimensions. */
static int refuse_other(const AnnStream *stream, char **out_message) {
  return refuse(
      out_message,
      sqlite3_mprintf("%s: expected the table %s that the search began in, but another "
                      "one has its name now",
                      stream->form->function, stream->name));
}

/* The same after SQLite had its turn, and may have replaced the table. */
static int reach_later(AnnStream *stream, int64_t n, char **out_message) {
  AnnHold hold = {NULL, NULL, NULL};
  AnnTable *table = NULL;
  int rc;
  if (stream->n_rows >= n || stream->exhausted) return ANN_OK;
  rc = ann_context_open(stream->context, stream->schema, stream->name, &hold, &table,
                        out_message);
  if (rc == ANN_OK && table->serial != stream->table_serial) {
    rc = refuse_other(stream, out_message);
  }
  if (rc == ANN_OK) rc = reach(stream, table, n, out_message);
  ann_hold_clear(&hold);
  return rc;
}

int ann_stream_start(AnnStream *stream, AnnTable *table, char **out_message) {
  return reach(stream, table, stream->at + 1, out_message);
}

int ann_stream_next(AnnStream *stream, char **out_message) {
  stream->at++;
  return reach_later(stream, stream->at + 1, out_message);
}

int ann_stream_finish(AnnStream *stream, char **out_message) {
  return reach_later(stream, INT64_MAX, out_message);
}

int64_t ann_stream_bytes(const AnnStream *stream) {
  return stream->n_allocated * (int64_t)sizeof *stream->rows + stream->size +
         ann_arguments_bytes(&stream->arguments);
}

int ann_stream_eof(const AnnStream *stream) { return !stream || stream->at >= stream->n_rows; }

int64_t ann_stream_id(const AnnStream *stream) { return stream->rows[stream->at].id; }

void ann_stream_result(const AnnStream *stream, int column, sqlite3_context *out) {
  const AnnForm *form = stream->form;
  int argument = ann_arguments_at(form, column);
  if (argument >= 0) ann_arguments_result(&stream->arguments, argument, out);
  else if (column == form->id) sqlite3_result_int64(out, ann_stream_id(stream));
  else if (column == form->rank) sqlite3_result_int64(out, stream->at + 1);
  else if (column == form->distance) {
    sqlite3_result_double(out, stream->rows[stream->at].key);
  }
}

/* ---- life ---- */

void ann_stream_rest(AnnStream *stream, AnnTable *table) {
  give_searcher(stream, table);
  stream->asked = 0;
}

int ann_stream_copy(const AnnStream *from, AnnStream *to) {
  int rc = ann_grow(&to->rows, to->n_rows, from->n_rows, &to->n_allocated, sizeof *to->rows);
  if (rc != ANN_OK) return rc;
  if (from->n_rows > 0) {
    memcpy(to->rows, from->rows, (size_t)from->n_rows * sizeof *to->rows);
  }
  to->n_rows = from->n_rows;
  to->has_item = from->has_item;
  to->exhausted = from->exhausted;
  return ANN_OK;
}

void ann_stream_free(AnnStream *stream) {
  if (!stream) return;
  sqlite3_free(stream->schema);
  sqlite3_free(stream->name);
  ann_arguments_clear(&stream->arguments);
  ann_searcher_free(stream->searcher);
  ann_free(stream->query);
  ann_free(stream->rows);
  ann_free(stream);
}

int ann_stream_new(AnnTable *table, const AnnForm *form, int bits, sqlite3_value **argv,
                   AnnStream **out_stream, char **out_message) {
  AnnStream *stream = ann_alloc_zero(1, sizeof *stream);
  int rc;
  *out_stream = stream;
  if (!stream) return ANN_NOMEM;
  stream->context = table->context;
  stream->table_serial = table->serial;
  stream->form = form;
  stream->schema = sqlite3_mprintf("%s", ann_db_schema(table->store->db));
  stream->name = sqlite3_mprintf("%s", ann_db_name(table->store->db));
  if (!stream->schema || !stream->name) return ANN_NOMEM;
  rc = ann_arguments_read(form, bits, argv, &stream->arguments, out_message);
  decide_k(stream);
  if (rc != ANN_OK) return rc;
  return read_query(stream, table, ann_arguments_value(bits, argv, ANN_ARG_QUERY), out_message);
}

int ann_stream_asks_same(const AnnStream *a, const AnnStream *b) {
  return a->size == b->size && a->item == b->item &&
         memcmp(a->query, b->query, (size_t)a->size) == 0 && strcmp(a->name, b->name) == 0 &&
         strcmp(a->schema, b->schema) == 0 && ann_arguments_equal(&a->arguments, &b->arguments);
}

void ann_stream_again(AnnStream *stream, AnnStream *asked) {
  AnnArguments arguments = asked->arguments;
  asked->arguments = stream->arguments;
  stream->arguments = arguments;
  stream->at = 0;
}
