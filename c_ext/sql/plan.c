/* plan.c -- see plan.h. */
#include "sql/plan.h"

#define SEARCH_COST 1e6 /* more than any table of its size is worth scanning for */
#define DEFAULT_ROWS 10

/* How an argument is given, for error sentences and for choosing. */
static int operator_of(const AnnForm *form, int argument) {
  return argument == ANN_ARG_QUERY && form->kind == ANN_FORM_MATCH
             ? SQLITE_INDEX_CONSTRAINT_MATCH
             : SQLITE_INDEX_CONSTRAINT_EQ;
}

/* Take constraint i as an argument, noting it in chosen. */
static int take(const AnnForm *form, sqlite3_index_info *info, int i, int argument, int *chosen,
                char **out_message) {
  int op = info->aConstraint[i].op, wanted = operator_of(form, argument);
  int is_list = op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1);
  int takes_list = ann_arguments_takes_list(argument);
  if (op != wanted || (is_list && !takes_list)) {
    *out_message = sqlite3_mprintf("%s: expected %s %s, got another comparison", form->function,
                                   ann_arguments_name(form, argument),
                                   takes_list                             ? "= ids or IN (...)"
                                   : wanted == SQLITE_INDEX_CONSTRAINT_EQ ? "= a value"
                                                                          : "MATCH a vector");
    return ANN_ERROR;
  }
  if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
  if (chosen[argument] >= 0) {
    if (argument == ANN_ARG_LISTED) return ANN_OK; /* SQLite checks the second list */
    *out_message = sqlite3_mprintf("%s: expected one value for %s, got two", form->function,
                                   ann_arguments_name(form, argument));
    return ANN_ERROR;
  }
  chosen[argument] = i;
  return ANN_OK;
}

static int is_limit(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET;
}

/* Which argument a constraint gives, or -1. */
static int argument_of(const AnnForm *form, sqlite3_index_info *info, int i) {
  int column = info->aConstraint[i].iColumn, op = info->aConstraint[i].op;
  if (is_limit(op)) return -1;
  if (column == form->id || column < 0) {
    return op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1) ? ANN_ARG_LISTED
                                                                            : -1;
  }
  return column == form->vector ? ANN_ARG_QUERY : ann_arguments_at(form, column);
}

/* Is an argument given that this call does not show?  Before 3.50, SQLite asks for each side of an
** OR by itself, with nothing else of WHERE, once it has asked for all. */
static int is_hidden(const AnnForm *form, const sqlite3_index_info *info, const int *chosen,
                     int argument) {
  int column = ann_arguments_column(form, argument);
  return column >= 0 && chosen[argument] < 0 && info->colUsed >> column & 1;
}

/* *out_is_part: of the arguments that a search must have, this call does not show all. */
static int choose(const AnnForm *form, sqlite3_index_info *info, int *chosen, int *out_is_part,
                  char **out_message) {
  int is_table_hidden, is_query_hidden;
  int i, rc = ANN_OK;
  for (i = 0; i < ANN_N_ARGS; i++) chosen[i] = -1;
  for (i = 0; i < info->nConstraint && rc == ANN_OK; i++) {
    int argument = argument_of(form, info, i);
    if (argument >= 0) rc = take(form, info, i, argument, chosen, out_message);
  }
  if (rc != ANN_OK) return rc;
  is_table_hidden = is_hidden(form, info, chosen, ANN_ARG_TABLE);
  is_query_hidden = is_hidden(form, info, chosen, ANN_ARG_QUERY);
  *out_is_part = is_table_hidden || is_query_hidden;
  if ((chosen[ANN_ARG_QUERY] < 0 && !is_query_hidden) ||
      (ann_arguments_column(form, ANN_ARG_TABLE) >= 0 && chosen[ANN_ARG_TABLE] < 0 &&
       !is_table_hidden)) {
    *out_message = sqlite3_mprintf("%s: expected arguments (table, %s [, k [, recall]])",
                                   form->function,
                                   form->kind == ANN_FORM_ITEM    ? "id"
                                   : form->kind == ANN_FORM_ITEMS ? "items"
                                                                  : "query");
    return ANN_ERROR;
  }
  return ANN_OK;
}

/* Rows come by rank, which is by (distance, id) unless they are chosen for diversity. */
static int order_is_ours(const AnnForm *form, const sqlite3_index_info *info, int is_diverse) {
  int i;
  if (info->nOrderBy == 0) return 0;
  for (i = 0; i < info->nOrderBy; i++) {
    int column = info->aOrderBy[i].iColumn;
    if (info->aOrderBy[i].desc) return 0;
    if (column == form->rank) return 1;
    if (is_diverse || (i == 0 && column != form->distance)) return 0;
    /* A row that is searched for comes before others as near, whatever its id. */
    if (i == 1) return form->kind != ANN_FORM_ITEM && (column == form->id || column < 0);
  }
  return 1;
}

/* Does SQLite read the first rows of the search, dropping none? */
static int reads_first_rows(const AnnForm *form, const sqlite3_index_info *info,
                            const int *chosen) {
  int i, argument;
  if (info->nOrderBy > 0 && !order_is_ours(form, info, chosen[ANN_ARG_DIVERSITY] >= 0))
    return 0;
  for (i = 0; i < info->nConstraint; i++) {
    if (is_limit(info->aConstraint[i].op)) {
      if (!info->aConstraint[i].usable) return 0;
      continue;
    }
    for (argument = 0; argument < ANN_N_ARGS && chosen[argument] != i; argument++) continue;
    if (argument == ANN_N_ARGS) return 0;
  }
  return 1;
}

/* MATCH without k: take LIMIT and OFFSET, which SQLite applies all the same. */
static void take_limit(const AnnForm *form, const sqlite3_index_info *info, int *chosen) {
  int i, op;
  if (form->kind != ANN_FORM_MATCH || chosen[ANN_ARG_K] >= 0) return;
  if (!reads_first_rows(form, info, chosen)) return;
  for (i = 0; i < info->nConstraint; i++) {
    op = info->aConstraint[i].op;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT) chosen[ANN_ARG_LIMIT] = i;
    if (op == SQLITE_INDEX_CONSTRAINT_OFFSET) chosen[ANN_ARG_OFFSET] = i;
  }
}

/* The planner's idea of k: a literal or bound value, when it can be seen. */
static double rows_expected(sqlite3_index_info *info, const int *chosen) {
  sqlite3_value *value = NULL;
  int at = chosen[chosen[ANN_ARG_K] >= 0 ? ANN_ARG_K : ANN_ARG_LIMIT];
  if (at >= 0 && sqlite3_vtab_rhs_value(info, at, &value) == SQLITE_OK && value &&
      sqlite3_value_type(value) == SQLITE_INTEGER && sqlite3_value_int64(value) > 0) {
    return (double)sqlite3_value_int64(value);
  }
  return DEFAULT_ROWS;
}

/* Where k comes from, for EXPLAIN QUERY PLAN. */
static const char *source_of_k(const AnnForm *form, const int *chosen) {
  if (chosen[ANN_ARG_K] >= 0) return "k given";
  if (chosen[ANN_ARG_LIMIT] >= 0) return "k by LIMIT";
  return form->kind == ANN_FORM_MATCH ? "as many as are read" : "k by default";
}

/* For EXPLAIN QUERY PLAN; NULL when out of memory. */
static char *in_words(const AnnForm *form, const int *chosen, int in_order) {
  sqlite3_str *words = sqlite3_str_new(NULL);
  int i;
  sqlite3_str_appendf(words, "nearest neighbours, %s", source_of_k(form, chosen));
  for (i = ANN_N_ARGS - 1; i >= 0; i--) {
    if (chosen[i] >= 0 && ann_arguments_words(i)[0]) {
      sqlite3_str_appendf(words, ", %s", ann_arguments_words(i));
    }
  }
  if (in_order) sqlite3_str_appendall(words, ", in order of distance");
  return sqlite3_str_finish(words);
}

int ann_plan_search(const AnnForm *form, sqlite3_index_info *info, char **out_message) {
  int chosen[ANN_N_ARGS], i, n = 0, bits = 0, is_part = 0;
  double rows;
  int rc = choose(form, info, chosen, &is_part, out_message);
  if (rc != ANN_OK) return rc;
  take_limit(form, info, chosen);
  for (i = 0; i < ANN_N_ARGS; i++) {
    if (chosen[i] < 0) continue;
    bits |= 1 << i;
    info->aConstraintUsage[chosen[i]].argvIndex = ++n;
    info->aConstraintUsage[chosen[i]].omit = i != ANN_ARG_LISTED && i != ANN_ARG_LIMIT &&
                                             i != ANN_ARG_OFFSET;
    if (ann_arguments_takes_list(i) && sqlite3_vtab_in(info, chosen[i], -1)) {
      sqlite3_vtab_in(info, chosen[i], 1);
    }
  }
  rows = rows_expected(info, chosen);
  info->idxNum = bits;
  if (!is_part) info->estimatedCost = SEARCH_COST + rows; /* else SQLite's own, the most */
  info->estimatedRows = rows < 1e15 ? (sqlite3_int64)rows : (sqlite3_int64)1e15;
  info->orderByConsumed = order_is_ours(form, info, chosen[ANN_ARG_DIVERSITY] >= 0);
  info->idxStr = in_words(form, chosen, info->orderByConsumed);
  info->needToFreeIdxStr = 1;
  return info->idxStr ? ANN_OK : ANN_NOMEM;
}
