/* search_vtab.c -- the table functions ann_search, ann_search_item, ann_search_items; see
** search_vtab.h. */
#include "sql/search_vtab.h"

#include "core/bytes.h"
#include "sql/memo.h"
#include "sql/plan.h"

enum { COLUMN_ID, COLUMN_DISTANCE, COLUMN_RANK, COLUMN_FIRST };

typedef struct Function {
  sqlite3_vtab base;
  AnnContext *context; /* borrowed */
  const AnnForm *form;
  AnnAnswers answers; /* owned */
  AnnHold hold;       /* owned: of the table last searched */
} Function;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  AnnMemo memo; /* owned: the result that is read, or was */
} Cursor;

static const AnnForm search_form = {
  .function = "ann_search",
  .kind = ANN_FORM_SEARCH,
  .vector = -1,
  .id = COLUMN_ID,
  .distance = COLUMN_DISTANCE,
  .rank = COLUMN_RANK,
  .first = COLUMN_FIRST,
};

static const AnnForm item_form = {
  .function = "ann_search_item",
  .kind = ANN_FORM_ITEM,
  .vector = -1,
  .id = COLUMN_ID,
  .distance = COLUMN_DISTANCE,
  .rank = COLUMN_RANK,
  .first = COLUMN_FIRST,
};

static const AnnForm items_form = {
  .function = "ann_search_items",
  .kind = ANN_FORM_ITEMS,
  .vector = -1,
  .id = COLUMN_ID,
  .distance = COLUMN_DISTANCE,
  .rank = COLUMN_RANK,
  .first = COLUMN_FIRST,
};

static const AnnForm *const forms[] = {&search_form, &item_form, &items_form};
enum { N_FORMS = sizeof forms / sizeof *forms };

static const AnnForm *form_of(const char *module) {
  int i = 0;
  while (i < N_FORMS - 1 && strcmp(module, forms[i]->function) != 0) i++;
  return forms[i];
}

static int connect_function(sqlite3 *db, void *aux, int argc, const char *const *argv,
                            sqlite3_vtab **out_vtab, char **out_message) {
  const AnnForm *form = form_of(argv[0]); /* the module's name */
  Function *function = NULL;
  char *declaration =
      ann_arguments_declaration(form, "id INTEGER, distance REAL, rank INTEGER",
                                ", all_ids BLOB HIDDEN, all_distances BLOB HIDDEN");
  int rc = declaration ? sqlite3_declare_vtab(db, declaration) : ANN_NOMEM;
  (void)argc, (void)out_message;
  sqlite3_free(declaration);
  if (rc != ANN_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  function = ann_alloc_zero(1, sizeof *function);
  if (!function) return ANN_NOMEM;
  function->context = aux;
  function->form = form;
  *out_vtab = &function->base;
  return ANN_OK;
}

static int disconnect(sqlite3_vtab *vtab) {
  Function *function = (Function *)vtab;
  sqlite3_free(vtab->zErrMsg);
  ann_answers_clear(&function->answers);
  ann_hold_clear(&function->hold);
  ann_free(function);
  return ANN_OK;
}

/* What comes after the last argument is a result, and takes no value. */
static int gives_result(const AnnForm *form, const sqlite3_index_info *info) {
  int end = ann_arguments_end(form), i;
  for (i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn >= end) return 1;
  }
  return 0;
}

/* Does the statement read the columns of all rows at once? */
static int reads_all(const AnnForm *form, const sqlite3_index_info *info) {
  return (info->colUsed >> ann_arguments_end(form) & 3) != 0;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const AnnForm *form = ((Function *)vtab)->form;
  int rc;
  if (gives_result(form, info)) {
    vtab->zErrMsg = sqlite3_mprintf("too many arguments on %s()", form->function);
    return ANN_ERROR;
  }
  rc = ann_plan_search(form, info, &vtab->zErrMsg);
  if (rc == ANN_OK && reads_all(form, info)) info->idxNum |= ANN_ALL_AT_ONCE;
  return rc;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor) {
  Cursor *cursor = ann_alloc_zero(1, sizeof *cursor);
  (void)vtab;
  if (!cursor) return ANN_NOMEM;
  *out_cursor = &cursor->base;
  return ANN_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  ann_memo_close(&((Cursor *)base)->memo);
  ann_free(base);
  return ANN_OK;
}

static int filter(sqlite3_vtab_cursor *base, int bits, const char *words, int argc,
                  sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  Function *function = (Function *)base->pVtab;
  AnnTable *table = NULL;
  int rc = ann_context_find(function->context, function->form->function,
                            ann_arguments_value(bits, argv, ANN_ARG_TABLE), &function->hold,
                            &table, &base->pVtab->zErrMsg);
  (void)words, (void)argc;
  if (rc != ANN_OK) return rc;
  return ann_memo_ask(&cursor->memo, &function->answers, table, function->form, bits, argv,
                      &base->pVtab->zErrMsg);
}

static int next(sqlite3_vtab_cursor *base) {
  return ann_stream_next(((Cursor *)base)->memo.stream, &base->pVtab->zErrMsg);
}

static int eof(sqlite3_vtab_cursor *base) {
  return ann_stream_eof(((Cursor *)base)->memo.stream);
}

/* Ids or distances of all rows of the search as one blob, which programs read faster than
** rows: little-endian, 8 bytes each. */
static int column_all(Cursor *cursor, sqlite3_context *out, int is_distances) {
  AnnStream *stream = cursor->memo.stream;
  uint8_t *blob;
  int64_t i;
  int rc = ann_stream_finish(stream, &cursor->base.pVtab->zErrMsg);
  if (rc != ANN_OK) return rc;
  blob = ann_alloc_array((uint64_t)stream->n_rows, 8);
  if (!blob) return ANN_NOMEM;
  for (i = 0; i < stream->n_rows; i++) {
    uint64_t bits = (uint64_t)stream->rows[i].id;
    if (is_distances) memcpy(&bits, &stream->rows[i].key, sizeof bits);
    ann_put64(blob + 8 * i, bits);
  }
  sqlite3_result_blob64(out, blob, (uint64_t)stream->n_rows * 8, ann_free);
  return ANN_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which) {
  Cursor *cursor = (Cursor *)base;
  int all_ids = ann_arguments_end(((Function *)base->pVtab)->form);
  if (which >= all_ids) return column_all(cursor, out, which > all_ids);
  ann_stream_result(cursor->memo.stream, which, out);
  return ANN_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid) {
  *out_rowid = ann_stream_id(((Cursor *)base)->memo.stream);
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

static int register_form(sqlite3 *db, AnnContext *context, const AnnForm *form) {
  context->references++;
  return sqlite3_create_module_v2(db, form->function, &module, context, ann_context_release);
}

int ann_search_vtab_register(sqlite3 *db, AnnContext *context) {
  int i, rc = ANN_OK;
  for (i = 0; i < N_FORMS && rc == ANN_OK; i++) rc = register_form(db, context, forms[i]);
  return rc;
}
