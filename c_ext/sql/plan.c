/* plan.c -- see plan.h. */
#include "sql/plan.h"

#define SEARCH_COST 1e6        /* more than any table of its size is worth scanning for */
#define DEFAULT_ROWS 10

static const char *const names[ANN_N_ARGS] = {
  "table", "query", "k", "recall", "search_k", "max_distance", "exclude", "exclude_self", "id",
};

int ann_plan_argument(int index_number, int argument) {
  int i, n = 0;
  if (!(index_number >> argument & 1)) return -1;
  for (i = 0; i < argument; i++) n += index_number >> i & 1;
  return n;
}

/* Which argument a constrained column is, or -1. */
static int argument_of(const AnnPlanColumns *columns, int column) {
  int i;
  for (i = 0; i < ANN_N_ARGS; i++) {
    if (columns->column_of[i] >= 0 && columns->column_of[i] == column) return i;
  }
  return -1;
}

/* Take constraint i as an argument, noting it in chosen. */
static int take(const AnnPlanColumns *columns, sqlite3_index_info *info, int i, int argument,
                int *chosen, char **out_message) {
  int op = info->aConstraint[i].op;
  int wanted = argument == ANN_ARG_QUERY ? columns->query_op : SQLITE_INDEX_CONSTRAINT_EQ;
  int is_in = op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1);
  if (op != wanted || (is_in && argument != ANN_ARG_EXCLUDE && argument != ANN_ARG_IDS)) {
    *out_message = sqlite3_mprintf("%s: expected %s %s, got another comparison",
                                   columns->function, names[argument],
                                   argument == ANN_ARG_EXCLUDE            ? "IN (...)"
                                   : wanted == SQLITE_INDEX_CONSTRAINT_EQ ? "= a value"
                                                                          : "MATCH a vector");
    return ANN_ERROR;
  }
  if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
  if (chosen[argument] >= 0) {
    if (argument == ANN_ARG_IDS) return ANN_OK;       /* SQLite checks the second list */
    *out_message = sqlite3_mprintf("%s: expected one value for %s, got two", columns->function,
                                   names[argument]);
    return ANN_ERROR;
  }
  chosen[argument] = i;
  return ANN_OK;
}

static int choose(const AnnPlanColumns *columns, sqlite3_index_info *info, int *chosen,
                  char **out_message) {
  int i, rc = ANN_OK;
  for (i = 0; i < ANN_N_ARGS; i++) chosen[i] = -1;
  for (i = 0; i < info->nConstraint && rc == ANN_OK; i++) {
    int column = info->aConstraint[i].iColumn, op = info->aConstraint[i].op;
    int argument = -1;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) continue;
    if (column == columns->id || column < 0) {
      if (op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1)) {
        argument = ANN_ARG_IDS;
      }
    } else {
      argument = argument_of(columns, column);
    }
    if (argument >= 0) rc = take(columns, info, i, argument, chosen, out_message);
  }
  return rc;
}

/* Rows come by (distance, id), which is also by rank. */
static int order_is_ours(const AnnPlanColumns *columns, const sqlite3_index_info *info) {
  int i;
  if (info->nOrderBy == 0) return 0;
  for (i = 0; i < info->nOrderBy; i++) {
    int column = info->aOrderBy[i].iColumn;
    if (info->aOrderBy[i].desc) return 0;
    if (column == columns->rank) return 1;
    if (i == 0 && column != columns->distance) return 0;
    /* A row that is searched for comes before others as near, whatever its id. */
    if (i == 1)
      return columns->column_of[ANN_ARG_SELF] < 0 && (column == columns->id || column < 0);
  }
  return 1;
}

/* The planner's idea of k: a literal or bound value, when it can be seen. */
static double rows_expected(sqlite3_index_info *info, const int *chosen) {
  sqlite3_value *value = NULL;
  int at = chosen[ANN_ARG_K];
  if (at >= 0 && sqlite3_vtab_rhs_value(info, at, &value) == SQLITE_OK && value &&
      sqlite3_value_type(value) == SQLITE_INTEGER && sqlite3_value_int64(value) > 0) {
    return (double)sqlite3_value_int64(value);
  }
  return DEFAULT_ROWS;
}

int ann_plan_search(const AnnPlanColumns *columns, sqlite3_index_info *info,
                    char **out_message) {
  int chosen[ANN_N_ARGS], i, n = 0, bits = 0;
  double rows;
  int rc = choose(columns, info, chosen, out_message);
  if (rc != ANN_OK) return rc;
  if (chosen[ANN_ARG_QUERY] < 0 ||
      (columns->column_of[ANN_ARG_TABLE] >= 0 && chosen[ANN_ARG_TABLE] < 0)) {
    *out_message = sqlite3_mprintf("%s: expected arguments (table, %s [, k [, recall]])",
                                   columns->function,
                                   columns->column_of[ANN_ARG_SELF] >= 0 ? "id" : "query");
    return ANN_ERROR;
  }
  for (i = 0; i < ANN_N_ARGS; i++) {
    if (chosen[i] < 0) continue;
    bits |= 1 << i;
    info->aConstraintUsage[chosen[i]].argvIndex = ++n;
    info->aConstraintUsage[chosen[i]].omit = i != ANN_ARG_IDS;
    if ((i == ANN_ARG_IDS || i == ANN_ARG_EXCLUDE) && sqlite3_vtab_in(info, chosen[i], -1)) {
      sqlite3_vtab_in(info, chosen[i], 1);
    }
  }
  rows = rows_expected(info, chosen);
  info->idxNum = bits;
  info->estimatedCost = SEARCH_COST + rows;
  info->estimatedRows = rows < 1e15 ? (sqlite3_int64)rows : (sqlite3_int64)1e15;
  info->orderByConsumed = order_is_ours(columns, info);
  info->idxStr = sqlite3_mprintf(
      "nearest neighbours, %s%s%s%s%s", chosen[ANN_ARG_K] >= 0 ? "k given" : "k by default",
      chosen[ANN_ARG_IDS] >= 0 ? ", among the listed ids" : "",
      chosen[ANN_ARG_EXCLUDE] >= 0 ? ", without the excluded ids" : "",
      chosen[ANN_ARG_MAX_DISTANCE] >= 0 ? ", within max_distance" : "",
      info->orderByConsumed ? ", in order of distance" : "");
  info->needToFreeIdxStr = 1;
  return info->idxStr ? ANN_OK : ANN_NOMEM;
}
