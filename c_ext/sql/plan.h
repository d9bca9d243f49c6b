/* plan.h -- which constraints a search takes, and what it tells the planner.
**
** A search has arguments.  Each that is given is one bit of idxNum, and the values come
** to xFilter in the order of the bits.  idxStr says in words what will be done, for
** EXPLAIN QUERY PLAN.
**
** argument        taken from                            else
** table … self    column = value                        an error: nothing but = is meant
** exclude         column IN (…), or =
** ids             id IN (…)                             id = …, id < … are left to SQLite
**
** An argument whose value is not yet known in the join order tried answers
** SQLITE_CONSTRAINT, so that the planner tries another.  `id = …` is never taken: it is
** a join condition on the k rows, and taking it would make the answer depend on the
** join order.
**
** Cost: high, so that a search is never the inner loop of a join that can be turned
** round; rows: k where it is known, else 10.
*/
#ifndef ANN_SQL_PLAN_H
#define ANN_SQL_PLAN_H

#include "index/api.h"

enum {
  ANN_ARG_TABLE,
  ANN_ARG_QUERY,
  ANN_ARG_K,
  ANN_ARG_RECALL,
  ANN_ARG_SEARCH_K,
  ANN_ARG_MAX_DISTANCE,
  ANN_ARG_EXCLUDE,
  ANN_ARG_SELF,
  ANN_ARG_IDS,
  ANN_N_ARGS
};

typedef struct AnnPlanColumns {
  const char *function;           /* for error sentences: "ann_search", … */
  int column_of[ANN_N_ARGS];      /* -1: has no such argument */
  int id, distance, rank;         /* visible columns */
  int query_op;                   /* SQLITE_INDEX_CONSTRAINT_EQ, or _MATCH */
} AnnPlanColumns;

/* Fill `info` for a search.  SQLITE_CONSTRAINT, or ANN_ERROR with a sentence, as above. */
int ann_plan_search(const AnnPlanColumns *columns, sqlite3_index_info *info,
                    char **out_message);

/* The position of an argument's value in xFilter's argv, or -1 when it was not given. */
int ann_plan_argument(int index_number, int argument);

#endif
