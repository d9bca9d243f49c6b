/* stream.c -- see stream.h. */
#include "sql/stream.h"

#include "core/gather.h"
#include "core/grow.h"
#include "index/search.h"
#include "sql/diversity.h"
#include "sql/value.h"

#define FIRST_BATCH 256 /* a larger k is begun with this many */
#define BATCH_GROWTH 4
#define SMALL_TABLE 16384 /* rows; so many are soon scored: one batch, which misses none */

/* ---- which rows may be given ---- */

/* The ids of an argument, or NULL where none were given. */
static const AnnBitmap *ids_of(const AnnStream *stream, int argument) {
  const AnnArgument *it = &stream->arguments.of[argument];
  return it->is_given ? &it->ids.set : NULL;
}

static int is_without_items(const AnnStream *stream) {
  return stream->arguments.of[ANN_ARG_SELF].count != 0;
}

/* To those that are excluded come the rows that are searched for. */
static int exclude_items(AnnStream *stream) {
  const AnnBitmap *exclude = ids_of(stream, ANN_ARG_EXCLUDE);
  const AnnItems *items = &stream->subject.items;
  AnnGather gather = {NULL, 0, 0, 0};
  int64_t size = 0, i;
  int rc = exclude ? ann_gather_add_set(&gather, exclude) : ANN_OK;
  for (i = 0; i < items->n && rc == ANN_OK; i++) rc = ann_gather_add(&gather, items->of[i].id);
  if (rc == ANN_OK) rc = ann_gather_finish(&gather, &stream->exclude.bytes, &size);
  if (rc == ANN_OK) rc = ann_bitmap_open(&stream->exclude.set, stream->exclude.bytes, size);
  ann_gather_clear(&gather);
  return rc;
}

/* Which rows may be returned. */
static void filter(const AnnStream *stream, AnnQuery *query) {
  const AnnBitmap *only = ids_of(stream, ANN_ARG_ONLY);
  const AnnBitmap *listed = ids_of(stream, ANN_ARG_LISTED);
  const AnnBitmap *exclude = ids_of(stream, ANN_ARG_EXCLUDE);
  const AnnItems *items = &stream->subject.items;
  /* What may have to be scored is the smaller of two. */
  int is_first = only && (!listed || only->n <= listed->n);
  if (stream->exclude.bytes) exclude = &stream->exclude.set;
  query->only = is_first ? only : listed;
  query->also = is_first ? listed : only;
  query->exclude = exclude && exclude->n > 0 ? exclude : NULL;
  query->without_self = is_without_items(stream) && items->n == 1;
  query->self = query->without_self ? items->of[0].id : 0;
}

/* A row that is searched for comes first when it may be in the answer. */
static int prepare_filter(AnnStream *stream) {
  const AnnSubject *subject = &stream->subject;
  AnnRanked first = {subject->item_distance, subject->item};
  AnnQuery query;
  int rc = ANN_OK;
  memset(&query, 0, sizeof query);
  if (is_without_items(stream) && subject->items.n > 1) rc = exclude_items(stream);
  filter(stream, &query);
  stream->has_item = rc == ANN_OK && subject->is_row && ann_query_wants(&query, subject->item);
  if (rc != ANN_OK) return rc;
  return ann_sieve_init(&stream->sieve, &stream->arguments, stream->has_item ? &first : NULL);
}

/* ---- how many ---- */

static int is_diverse(const AnnStream *stream) {
  return stream->arguments.of[ANN_ARG_DIVERSITY].is_given;
}

/* Without k: all within max_distance; MATCH goes on as long as someone reads. */
static void decide_k(AnnStream *stream) {
  AnnArgument *k = &stream->arguments.of[ANN_ARG_K];
  int is_open = stream->arguments.of[ANN_ARG_MAX_DISTANCE].is_given ||
                stream->form->kind == ANN_FORM_MATCH;
  /* LIMIT stands for k where it may, also of diverse rows. */
  int64_t read = ann_arguments_rows_read(&stream->arguments);
  if (!k->is_given && (!is_open || (is_diverse(stream) && read == INT64_MAX))) {
    k->count = ANN_DEFAULT_K;
  }
  stream->k = k->count ? k->count : read;
  stream->n_wanted = is_diverse(stream) ? ANN_DIVERSITY_POOL * stream->k : stream->k;
}

/* Whether all rows are wanted before the first is read. */
static void decide_whole(AnnStream *stream, int bits) {
  stream->is_whole = stream->k < INT64_MAX && ((bits & ANN_ALL_AT_ONCE) || is_diverse(stream) ||
                                               !ann_sieve_is_open(&stream->sieve));
}

/* ---- more rows, from the index; reach() alone calls this ---- */

static double farthest(const AnnStream *stream) {
  return stream->arguments.of[ANN_ARG_MAX_DISTANCE].number;
}

/* The row that is searched for, before all others. */
static void keep_item(AnnStream *stream) {
  AnnRanked row = {stream->subject.item_distance, stream->subject.item};
  if (row.key <= farthest(stream) && ann_sieve_takes_first(&stream->sieve, &row)) {
    stream->rows[stream->n_rows++] = row;
  }
}

/* Keep those rows that are new and pass the sieve. */
static int keep_rows(AnnStream *stream, const AnnRanked *rows, int64_t n, int done) {
  int64_t i;
  int rc = ann_grow(&stream->rows, stream->n_rows, n + 1, &stream->n_allocated,
                    sizeof *stream->rows);
  if (rc == ANN_OK && stream->has_item) keep_item(stream);
  for (i = 0; i < n && stream->n_rows < stream->n_wanted && rc == ANN_OK; i++) {
    stream->is_beyond = rows[i].key > farthest(stream);
    if (stream->is_beyond) break;
    if (stream->has_item && rows[i].id == stream->subject.item) continue;
    if (ann_sieve_takes(&stream->sieve, &rows[i])) stream->rows[stream->n_rows++] = rows[i];
  }
  stream->exhausted = stream->is_beyond || done || stream->n_rows >= stream->n_wanted;
  return rc;
}

/* How many rows to ask the index for at first. */
static int64_t first_k(const AnnStream *stream, const AnnStore *store) {
  int64_t k = stream->n_wanted;
  if (stream->is_whole || store->state.rows <= SMALL_TABLE) return k;
  return k < FIRST_BATCH ? k : FIRST_BATCH;
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
  query.vector = stream->subject.query;
  query.recall = stream->is_exact ? 1 : of[ANN_ARG_RECALL].number;
  query.recall_given = of[ANN_ARG_RECALL].is_given;
  query.search_k = of[ANN_ARG_SEARCH_K].count;
  filter(stream, &query);
  /* Of the rows that it comes upon, the sieve may take any part. */
  ann_search_start(stream->searcher, &query,
                   ann_sieve_is_open(&stream->sieve) ? stream->n_wanted : INT64_MAX);
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

/* ---- all at once ---- */

/* Are there too few rows, of which others may have been missed, or is it less work to look at all
** of them now? */
static int falls_short(const AnnStream *stream, const AnnStore *store) {
  const AnnArgument *of = stream->arguments.of;
  if (stream->n_rows >= stream->n_wanted || stream->is_beyond || stream->is_exact) return 0;
  if (of[ANN_ARG_RECALL].number >= 1 || of[ANN_ARG_SEARCH_K].is_given) return 0;
  return stream->exhausted || stream->asked >= store->state.rows / BATCH_GROWTH;
}

static void begin_anew(AnnStream *stream, AnnTable *table) {
  give_searcher(stream, table);
  ann_sieve_restart(&stream->sieve);
  stream->n_rows = stream->asked = 0;
  stream->exhausted = 0;
  stream->is_exact = 1;
}

static int choose_diverse(AnnStream *stream, AnnTable *table, char **out_message) {
  int rc = ann_store_begin(table->store);
  if (rc == ANN_OK) {
    rc = ann_diversity_choose(table->store, stream->rows, stream->n_rows, stream->k,
                              stream->arguments.of[ANN_ARG_DIVERSITY].number);
  }
  if (stream->n_rows > stream->k) stream->n_rows = stream->k;
  rc = ann_context_report(table->store, rc, out_message);
  ann_store_end(table->store);
  return rc;
}

/* Have all rows, once. */
static int reach_whole(AnnStream *stream, AnnTable *table, char **out_message) {
  int rc = ANN_OK;
  if (stream->exhausted) return ANN_OK;
  while (rc == ANN_OK && !stream->exhausted) {
    rc = reach_more(stream, table, out_message);
    if (rc == ANN_OK && falls_short(stream, table->store)) begin_anew(stream, table);
  }
  if (rc == ANN_OK && is_diverse(stream)) rc = choose_diverse(stream, table, out_message);
  return rc;
}

/* ---- rows ---- */

/* Have n rows, or all that there are. */
static int reach(AnnStream *stream, AnnTable *table, int64_t n, char **out_message) {
  int rc = ANN_OK;
  if (stream->is_whole) return reach_whole(stream, table, out_message);
  while (rc == ANN_OK && stream->n_rows < n && !stream->exhausted) {
    rc = reach_more(stream, table, out_message);
  }
  return rc;
}

/* Another took the table's name: its rows are others, and so may be its dimensions. */
static int refuse_other(const AnnStream *stream, char **out_message) {
  return ann_value_refuse(
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
  return stream->n_allocated * (int64_t)sizeof *stream->rows + stream->subject.size +
         ann_arguments_bytes(&stream->arguments) + ann_sieve_bytes(&stream->sieve);
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
  to->exhausted = from->exhausted;
  ann_sieve_copy(&from->sieve, &to->sieve);
  return ANN_OK;
}

void ann_stream_free(AnnStream *stream) {
  if (!stream) return;
  sqlite3_free(stream->schema);
  sqlite3_free(stream->name);
  ann_arguments_clear(&stream->arguments);
  ann_searcher_free(stream->searcher);
  ann_subject_clear(&stream->subject);
  ann_ids_clear(&stream->exclude);
  ann_sieve_clear(&stream->sieve);
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
  if (rc != ANN_OK) return rc;
  decide_k(stream);
  rc = ann_subject_read(&stream->subject, table, form,
                        ann_arguments_value(bits, argv, ANN_ARG_QUERY), out_message);
  stream->exhausted = !stream->subject.is_there;
  if (rc == ANN_OK) rc = prepare_filter(stream);
  decide_whole(stream, bits);
  return rc;
}

int ann_stream_asks_same(const AnnStream *a, const AnnStream *b) {
  return strcmp(a->name, b->name) == 0 && strcmp(a->schema, b->schema) == 0 &&
         a->is_whole == b->is_whole && ann_subject_equal(&a->subject, &b->subject) &&
         ann_arguments_equal(&a->arguments, &b->arguments);
}

void ann_stream_again(AnnStream *stream, AnnStream *asked) {
  AnnArguments arguments = asked->arguments;
  asked->arguments = stream->arguments;
  stream->arguments = arguments;
  ann_sieve_follow(&stream->sieve, &stream->arguments);
  stream->at = 0;
}
