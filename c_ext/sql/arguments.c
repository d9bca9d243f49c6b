/* arguments.c -- see arguments.h. */
#include "sql/arguments.h"

#include <math.h>

#include "sql/value.h"

enum { NAME, QUERY, COUNT, RECALL, DISTANCE, FRACTION, FLAG, WHOLE, ROWS, IDS, GROUPS };

typedef struct Row {
  const char *name;
  int kind;
  char is_column[4]; /* of which forms */
  double otherwise;  /* its number where it is not given */
  const char *words; /* for EXPLAIN QUERY PLAN */
} Row;

#define ROW(constant, name, kind, search, item, items, match, otherwise, words) \
  {name, kind, {search, item, items, match}, otherwise, words},
static const Row rows[ANN_N_ARGS] = {ANN_ARGUMENTS(ROW)};
#undef ROW

/* ---- columns ---- */

const char *ann_arguments_name(const AnnForm *form, int argument) {
  if (argument == ANN_ARG_QUERY && form->kind == ANN_FORM_ITEM) return "item";
  if (argument == ANN_ARG_QUERY && form->kind == ANN_FORM_ITEMS) return "items";
  return rows[argument].name;
}

const char *ann_arguments_words(int argument) { return rows[argument].words; }

int ann_arguments_takes_list(int argument) { return rows[argument].kind == IDS; }

int ann_arguments_column(const AnnForm *form, int argument) {
  int i, column = form->first;
  if (!rows[argument].is_column[form->kind]) return -1;
  for (i = 0; i < argument; i++) column += rows[i].is_column[form->kind];
  return column;
}

int ann_arguments_at(const AnnForm *form, int column) {
  int i, at = form->first;
  for (i = 0; i < ANN_N_ARGS; i++) {
    if (rows[i].is_column[form->kind] && at++ == column) return i;
  }
  return -1;
}

int ann_arguments_end(const AnnForm *form) {
  int i, column = form->first;
  for (i = 0; i < ANN_N_ARGS; i++) column += rows[i].is_column[form->kind];
  return column;
}

char *ann_arguments_declaration(const AnnForm *form, const char *before, const char *after) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  int i;
  sqlite3_str_appendf(text, "CREATE TABLE x(%s", before);
  for (i = 0; i < ANN_N_ARGS; i++) {
    if (rows[i].is_column[form->kind]) {
      sqlite3_str_appendf(text, ", \"%w\" HIDDEN", ann_arguments_name(form, i));
    }
  }
  sqlite3_str_appendf(text, "%s)", after);
  return sqlite3_str_finish(text);
}

/* ---- values ---- */

/* The value whose bit is set, NULL or not. */
static sqlite3_value *value_at(int bits, sqlite3_value **argv, int argument) {
  int i, n = 0;
  if (!(bits >> argument & 1)) return NULL;
  for (i = 0; i < argument; i++) n += bits >> i & 1;
  return argv[n];
}

sqlite3_value *ann_arguments_value(int bits, sqlite3_value **argv, int argument) {
  sqlite3_value *value = value_at(bits, argv, argument);
  return value && sqlite3_value_type(value) != SQLITE_NULL ? value : NULL;
}

/* Keep a value to read it back.  Before it is read: reading '7' as a number makes it one. */
static int keep(sqlite3_value *value, AnnArgument *argument) {
  if (!value) return ANN_OK;
  argument->shown = sqlite3_value_dup(value);
  return argument->shown ? ANN_OK : ANN_NOMEM;
}

/* The first id reads back for a whole list, so that `exclude IN (…)` holds where SQLite checks
** it again.  A set is borrowed from the copy of it that is kept. */
static int read_ids(const char *function, const char *name, sqlite3_value *value,
                    AnnArgument *argument, char **out_message) {
  sqlite3_value *first = NULL;
  int is_list, rc;
  argument->is_given = value != NULL;
  if (!value) return ANN_OK;
  rc = sqlite3_vtab_in_first(value, &first);
  is_list = rc == SQLITE_OK || rc == SQLITE_DONE;
  rc = keep(is_list ? first : value, argument);
  if (rc != ANN_OK) return rc;
  if (is_list) return ann_ids_read_list(function, name, value, &argument->ids, out_message);
  if (sqlite3_value_type(value) == SQLITE_BLOB) value = argument->shown;
  return ann_ids_read(function, name, value, &argument->ids, out_message);
}

/* Groups are borrowed from the copy of them that is kept. */
static int read_groups(const char *function, const char *name, sqlite3_value *value,
                       AnnArgument *argument, char **out_message) {
  int rc = keep(value, argument);
  if (rc != ANN_OK || !value) return rc;
  return ann_grouping_read(function, name, argument->shown, &argument->grouping, out_message);
}

static int read_flag(const char *function, const char *name, sqlite3_value *value,
                     AnnArgument *argument, char **out_message) {
  if (!value) return ANN_OK;
  return ann_value_whole(function, name, 0, 1, value, &argument->count, out_message);
}

static int read_whole(const char *function, const char *name, sqlite3_value *value,
                      AnnArgument *argument, char **out_message) {
  if (!value) return ANN_OK;
  return ann_value_whole(function, name, INT64_MIN, INT64_MAX, value, &argument->count,
                         out_message);
}

/* ---- arguments that go together ---- */

static int refuse(const AnnForm *form, const char *clause, char **out_message) {
  return ann_value_refuse(out_message,
                          sqlite3_mprintf("%s: expected %s", form->function, clause));
}

int64_t ann_arguments_rows_read(const AnnArguments *arguments) {
  const AnnArgument *limit = &arguments->of[ANN_ARG_LIMIT];
  const AnnArgument *offset = &arguments->of[ANN_ARG_OFFSET];
  int64_t skipped = offset->is_given ? offset->count : 0;
  if (!limit->is_given || limit->count > INT64_MAX - skipped) return INT64_MAX;
  return limit->count + skipped;
}

static int check_diverse(const AnnForm *form, const AnnArguments *arguments,
                         char **out_message) {
  char clause[80];
  int64_t k = arguments->of[ANN_ARG_K].count, read = ann_arguments_rows_read(arguments);
  if (k == 0 && read < INT64_MAX) k = read;
  if (k <= ANN_MOST_DIVERSE) return ANN_OK;
  sqlite3_snprintf(sizeof clause, clause, "k to be at most %d with diversity, got %lld",
                   ANN_MOST_DIVERSE, (long long)k);
  return refuse(form, clause, out_message);
}

static int check_together(const AnnForm *form, const AnnArguments *arguments,
                          char **out_message) {
  const AnnArgument *of = arguments->of;
  if (of[ANN_ARG_MAX_PER].is_given && !of[ANN_ARG_GROUPS].is_given) {
    return refuse(form, "groups with max_per, got none", out_message);
  }
  if (of[ANN_ARG_GROUPS].is_given && !of[ANN_ARG_MAX_PER].is_given) {
    return refuse(form, "max_per with groups, got none", out_message);
  }
  if (of[ANN_ARG_AFTER_ID].is_given && !of[ANN_ARG_AFTER_DISTANCE].is_given) {
    return refuse(form, "after_distance with after_id, got none", out_message);
  }
  if (of[ANN_ARG_AFTER_DISTANCE].is_given && of[ANN_ARG_DIVERSITY].is_given) {
    return refuse(form, "after_distance or diversity, got both", out_message);
  }
  return of[ANN_ARG_DIVERSITY].is_given ? check_diverse(form, arguments, out_message) : ANN_OK;
}

/* ---- all of them ---- */

int ann_arguments_read(const AnnForm *form, int bits, sqlite3_value **argv,
                       AnnArguments *out_arguments, char **out_message) {
  int i, rc = ANN_OK;
  memset(out_arguments, 0, sizeof *out_arguments);
  for (i = 0; i < ANN_N_ARGS && rc == ANN_OK; i++) {
    AnnArgument *argument = &out_arguments->of[i];
    sqlite3_value *value = ann_arguments_value(bits, argv, i);
    const char *name = rows[i].name;
    argument->is_given = value != NULL;
    argument->number = rows[i].otherwise;
    switch (rows[i].kind) {
    case NAME:
    case QUERY: rc = keep(value, argument); break;
    case COUNT:
      rc = ann_value_count(form->function, name, value, &argument->count, out_message);
      break;
    case RECALL:
      rc = ann_value_recall(form->function, name, value, &argument->number, out_message);
      break;
    case DISTANCE:
      rc = ann_value_distance(form->function, name, value, &argument->number, out_message);
      break;
    case ROWS:
      argument->count = value ? sqlite3_value_int64(value) : -1;
      argument->is_given = argument->count >= 0;
      break;
    case FRACTION:
      rc = ann_value_fraction(form->function, name, value, &argument->number, out_message);
      break;
    case FLAG: rc = read_flag(form->function, name, value, argument, out_message); break;
    case WHOLE: rc = read_whole(form->function, name, value, argument, out_message); break;
    case GROUPS: rc = read_groups(form->function, name, value, argument, out_message); break;
    case IDS:
      rc = read_ids(form->function, name, value_at(bits, argv, i), argument, out_message);
      break;
    }
  }
  return rc == ANN_OK ? check_together(form, out_arguments, out_message) : rc;
}

void ann_arguments_result(const AnnArguments *arguments, int argument, sqlite3_context *out) {
  const AnnArgument *it = &arguments->of[argument];
  switch (rows[argument].kind) {
  case NAME:
    sqlite3_result_text(out, (const char *)sqlite3_value_text(it->shown), -1, SQLITE_TRANSIENT);
    break;
  case QUERY:
  case IDS:
  case GROUPS:
    if (it->shown) sqlite3_result_value(out, it->shown);
    break;
  case COUNT:
    if (it->count > 0) sqlite3_result_int64(out, it->count);
    break;
  case FLAG: sqlite3_result_int64(out, it->count); break;
  case WHOLE:
    if (it->is_given) sqlite3_result_int64(out, it->count);
    break;
  case FRACTION:
    if (it->is_given) sqlite3_result_double(out, it->number);
    break;
  case RECALL: sqlite3_result_double(out, it->number); break;
  case DISTANCE:
    if (it->is_given && it->number < INFINITY) sqlite3_result_double(out, it->number);
    break;
  }
}

int ann_arguments_equal(const AnnArguments *a, const AnnArguments *b) {
  int i;
  for (i = 0; i < ANN_N_ARGS; i++) {
    const AnnArgument *one = &a->of[i], *other = &b->of[i];
    if (one->is_given != other->is_given || one->count != other->count ||
        one->number != other->number || !ann_ids_equal(&one->ids, &other->ids) ||
        !ann_grouping_equal(&one->grouping, &other->grouping)) {
      return 0;
    }
  }
  return 1;
}

int64_t ann_arguments_bytes(const AnnArguments *arguments) {
  int64_t bytes = 0;
  int i;
  for (i = 0; i < ANN_N_ARGS; i++) {
    sqlite3_value *shown = arguments->of[i].shown;
    int type = shown ? sqlite3_value_type(shown) : SQLITE_NULL;
    bytes += arguments->of[i].ids.set.size;
    if (arguments->of[i].grouping.bytes) bytes += arguments->of[i].grouping.groups.size;
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) bytes += sqlite3_value_bytes(shown);
  }
  return bytes;
}

void ann_arguments_clear(AnnArguments *arguments) {
  int i;
  for (i = 0; i < ANN_N_ARGS; i++) {
    sqlite3_value_free(arguments->of[i].shown);
    ann_ids_clear(&arguments->of[i].ids);
    ann_grouping_clear(&arguments->of[i].grouping);
  }
  memset(arguments, 0, sizeof *arguments);
}
