/* columns.c -- see columns.h. */
#include "sql/columns.h"

const AnnForm ann_columns_form = {
  .function = "MATCH",
  .kind = ANN_FORM_MATCH,
  .vector = ANN_COLUMN_VECTOR,
  .id = -1,
  .distance = ANN_COLUMN_DISTANCE,
  .rank = ANN_COLUMN_RANK,
  .first = ANN_COLUMN_FIRST,
};

char *ann_columns_declaration(const char *table, const AnnOptions *options) {
  char *columns =
      sqlite3_mprintf("\"%w\" BLOB, \"%w\" HIDDEN, distance REAL HIDDEN, rank INTEGER HIDDEN",
                      options->column, table);
  char *all = columns ? ann_arguments_declaration(&ann_columns_form, columns, "") : NULL;
  sqlite3_free(columns);
  return all;
}

const char *ann_columns_question(int i) {
  int column = ANN_COLUMN_DISTANCE + i, argument = ann_arguments_at(&ann_columns_form, column);
  if (column == ANN_COLUMN_DISTANCE) return "distance";
  if (column == ANN_COLUMN_RANK) return "rank";
  return argument >= 0 ? ann_arguments_name(&ann_columns_form, argument) : NULL;
}

int ann_columns_is_reserved(const char *name) {
  int i;
  for (i = 0; ann_columns_question(i); i++) {
    if (sqlite3_stricmp(ann_columns_question(i), name) == 0) return 1;
  }
  return 0;
}
