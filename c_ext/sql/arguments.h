/* arguments.h -- what a search can be asked for: one table, a row an argument.
**
** There are four forms of a search: ann_search, ann_search_item, ann_search_items, and MATCH on a
** table itself.
** From the table come the hidden columns of each, and so the names that a vector's column
** cannot have; which constraints the plan takes (plan.h); how a value is read, and what reads
** back; and whether two searches ask the same (memo.h).  A new argument is one row, and its use
** in stream.c.
*/
#ifndef ANN_SQL_ARGUMENTS_H
#define ANN_SQL_ARGUMENTS_H

#include "sql/grouping.h"
#include "sql/ids.h"

/* kind        a value is                              reads back
** NAME        the name of a table                     as text
** QUERY       what to search for: stream.c knows how  as it was given
** COUNT       a whole number from 1; 0: not given     the number
** RECALL      above 0 and at most 1                   the number in force
** DISTANCE    a number; infinite is none              the number
** FRACTION    from 0 to 1                             the number
** FLAG        0 or 1                                  the number in force
** ROWS        a whole number; below 0: not given      -
** WHOLE       a whole number                          the number
** IDS         ids (ids.h), by = or IN (…)             as they were given; of a list the first,
**                                                     which stands for all
** GROUPS      groups of ids (grouping.h)              as they were given
**
** Hidden columns come in the order of the rows, and so do arguments in brackets and the values
** in xFilter.  QUERY is `item` in ann_search_item, `items` in ann_search_items, and the visible
** column in MATCH; LISTED is `id IN (…)`;
** LIMIT and OFFSET are the statement's own, where they can stand for k (plan.h).
*/
/* clang-format off */
/* ANN_ARG_…     name            kind      hidden column of          its number where    EXPLAIN QUERY
**                                            search item items match   it is not given     PLAN says */
#define ANN_ARGUMENTS(ROW) \
  ROW(TABLE,          "table",          NAME,     1, 1, 1, 0,  0,                  "") \
  ROW(QUERY,          "query",          QUERY,    1, 1, 1, 0,  0,                  "") \
  ROW(K,              "k",              COUNT,    1, 1, 1, 1,  0,                  "") \
  ROW(RECALL,         "recall",         RECALL,   1, 1, 1, 1,  ANN_DEFAULT_RECALL, "") \
  ROW(SEARCH_K,       "search_k",       COUNT,    1, 1, 1, 1,  0,                  "") \
  ROW(MAX_DISTANCE,   "max_distance",   DISTANCE, 1, 1, 1, 1,  INFINITY,           "within max_distance") \
  ROW(EXCLUDE,        "exclude",        IDS,      1, 1, 1, 1,  0,                  "without the excluded ids") \
  ROW(ONLY,           "only",           IDS,      1, 1, 1, 1,  0,                  "among the ids of only") \
  ROW(SELF,           "exclude_self",   FLAG,     0, 1, 1, 0,  0,                  "") \
  ROW(MAX_PER,        "max_per",        COUNT,    1, 1, 1, 1,  0,                  "") \
  ROW(GROUPS,         "groups",         GROUPS,   1, 1, 1, 1,  0,                  "at most max_per of a group") \
  ROW(DIVERSITY,      "diversity",      FRACTION, 1, 1, 1, 1,  0,                  "chosen for diversity") \
  ROW(AFTER_DISTANCE, "after_distance", DISTANCE, 1, 1, 1, 1,  0,                  "after a row") \
  ROW(AFTER_ID,       "after_id",       WHOLE,    1, 1, 1, 1,  0,                  "") \
  ROW(LISTED,         "id",             IDS,      0, 0, 0, 0,  0,                  "among the listed ids") \
  ROW(LIMIT,          "LIMIT",          ROWS,     0, 0, 0, 0,  0,                  "") \
  ROW(OFFSET,         "OFFSET",         ROWS,     0, 0, 0, 0,  0,                  "")
/* clang-format on */

#define ANN_ARGUMENT_CONSTANT(constant, name, kind, search, item, items, match, otherwise, \
                              words)                                                       \
  ANN_ARG_##constant,
enum { ANN_ARGUMENTS(ANN_ARGUMENT_CONSTANT) ANN_N_ARGS };
#undef ANN_ARGUMENT_CONSTANT

#define ANN_MOST_DIVERSE 1000 /* rows with diversity: work grows with the square; a choice */

/* A form of a search: its table's columns.  Arguments are hidden columns, one after the
** other. */
typedef struct AnnForm {
  const char *function; /* for error sentences: "ann_search", … */
  enum { ANN_FORM_SEARCH, ANN_FORM_ITEM, ANN_FORM_ITEMS, ANN_FORM_MATCH } kind;
  int vector;             /* the column that MATCHes the query, or -1 */
  int id, distance, rank; /* columns of results; id -1: it is the rowid alone */
  int first;              /* the column of the first argument */
} AnnForm;

/* The column of an argument, or -1; the argument of a column, or -1; the first column after
** them. */
int ann_arguments_column(const AnnForm *form, int argument);
int ann_arguments_at(const AnnForm *form, int column);
int ann_arguments_end(const AnnForm *form);
const char *ann_arguments_name(const AnnForm *form, int argument);
const char *ann_arguments_words(int argument);
int ann_arguments_takes_list(int argument);
/* For sqlite3_declare_vtab (sqlite3_malloc), NULL when out of memory; `before` and `after`: the
** columns around the arguments. */
char *ann_arguments_declaration(const AnnForm *form, const char *before, const char *after);

/* Set beside the arguments' bits where a statement reads all rows at once. */
#define ANN_ALL_AT_ONCE (1 << 30)

/* One argument of one search. */
typedef struct AnnArgument {
  int is_given;  /* and not NULL; ids are given if they are NULL, which is the empty set */
  int64_t count; /* of a COUNT, FLAG or WHOLE */
  double number; /* of a RECALL, DISTANCE or FRACTION */
  AnnIds ids;    /* owned; of IDS */
  AnnGrouping grouping; /* owned; of GROUPS */
  sqlite3_value *shown; /* owned: what reads back, of NAME, QUERY, IDS and GROUPS */
} AnnArgument;

typedef struct AnnArguments {
  AnnArgument of[ANN_N_ARGS];
} AnnArguments;

/* The value of an argument in xFilter's argv, or NULL when it is not given or is NULL.  `bits`:
** the plan's, one for each argument that has a value. */
sqlite3_value *ann_arguments_value(int bits, sqlite3_value **argv, int argument);
/* All of them, and whether they go together.  ANN_ERROR with a sentence in *out_message; clear
** *out_arguments in any case. */
int ann_arguments_read(const AnnForm *form, int bits, sqlite3_value **argv,
                       AnnArguments *out_arguments, char **out_message);
/* LIMIT and OFFSET together, where they stand for k; else INT64_MAX. */
int64_t ann_arguments_rows_read(const AnnArguments *arguments);
void ann_arguments_result(const AnnArguments *arguments, int argument, sqlite3_context *out);
/* Do both ask the same, but for the table and what is searched for? */
int ann_arguments_equal(const AnnArguments *a, const AnnArguments *b);
/* Memory of the values that were given. */
int64_t ann_arguments_bytes(const AnnArguments *arguments);
void ann_arguments_clear(AnnArguments *arguments);

#endif
