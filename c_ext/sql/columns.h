/* columns.h -- the columns of an ann table: the vector, and hidden ones for commands and
** questions. */
#ifndef ANN_SQL_COLUMNS_H
#define ANN_SQL_COLUMNS_H

#include "index/options.h"
#include "sql/arguments.h"

enum {
  ANN_COLUMN_VECTOR,
  ANN_COLUMN_COMMAND,  /* hidden, of the table's name */
  ANN_COLUMN_DISTANCE, /* hidden, as all that follow: for questions */
  ANN_COLUMN_RANK,
  ANN_COLUMN_FIRST /* of the arguments of a search */
};

/* A search by MATCH on the vector. */
extern const AnnForm ann_columns_form;

/* For sqlite3_declare_vtab: sqlite3_malloc, NULL when memory is out. */
char *ann_columns_declaration(const char *table, const AnnOptions *options);
/* The name of a hidden column that is for questions; i from 0, NULL after the last. */
const char *ann_columns_question(int i);
/* Is it one of these names, in any case? */
int ann_columns_is_reserved(const char *name);

#endif
