/* function.h -- table functions that know all their rows when they are called, or some at a time.
**
** Such a function is written down (AnnFunction), and a module is made of that.  Its hidden
** columns are its arguments: each is taken by `=`, kept, and read back.  Rows are counted; what
** is in one is the function's own.  (ann_search, whose rows come one after the other, is in
** search_vtab.c.)
*/
#ifndef ANN_SQL_FUNCTION_H
#define ANN_SQL_FUNCTION_H

#include "sql/context.h"

#define ANN_MAX_ARGUMENTS 6
#define ANN_KEY ANN_MAX_ARGUMENTS /* the place of the key among values */

/* One call; a function's own cursor begins with it. */
typedef struct AnnFunctionCursor {
  sqlite3_vtab_cursor base;
  AnnContext *context; /* borrowed */
  const struct AnnFunction *function;
  sqlite3_value *arguments[ANN_MAX_ARGUMENTS]; /* owned: as they were given; NULL: not given */
  int reads_all;                               /* the statement reads columns of all rows */
  int64_t n_rows, at;                          /* and the current one */
} AnnFunctionCursor;

/* What functions have in common whose cursors are alike. */
typedef struct AnnFunctionKind {
  size_t cursor_size;
  int safety; /* SQLITE_VTAB_INNOCUOUS or SQLITE_VTAB_DIRECTONLY */
  int64_t expected_rows;
  int first_rowid;
  /* Sets n_rows.  values: borrowed from xFilter, NULL where not given: 1 +
  ** ANN_MAX_ARGUMENTS. */
  int (*fill)(AnnFunctionCursor *cursor, sqlite3_value **values);
  /* A column of the current row that is no argument. */
  void (*result)(AnnFunctionCursor *cursor, sqlite3_context *out, int column);
  void (*clear)(AnnFunctionCursor *cursor); /* free what fill made */
  /* After each row, of one that does not know all of them: n_rows is to be above `at` if there is
  ** another.  NULL for one that does. */
  int (*step)(AnnFunctionCursor *cursor);
  /* Do rows come in the order that is asked for?  NULL: in none. */
  int (*is_in_order)(const sqlite3_index_info *info);
} AnnFunctionKind;

typedef struct AnnFunction {
  const AnnFunctionKind *kind;
  const char *name, *declaration;
  const char *usage; /* what is expected, when an argument lacks */
  int n_columns;     /* visible; the hidden ones are the arguments, */
  int n_arguments;   /* and behind so many of them columns of all rows; 0: there are none */
  int n_needed;      /* the first so many arguments must be given */
  int n_shown; /* the first so many columns may also be compared in order to give argument 1, … */
  int by_key; /* can be filled for one value of the first column alone, which SQLite checks again */
  const char *once[ANN_MAX_ARGUMENTS]; /* names of arguments for which two values are an error;
                                       ** of others SQLite compares the second with the first */
} AnnFunction;

/* function: static, or part of something that is. */
int ann_function_register(sqlite3 *db, AnnContext *context, const AnnFunction *function);

#endif
