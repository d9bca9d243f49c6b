/* plan.h -- which constraints a search takes, and what it tells the planner.
**
** A search has arguments.  Each that is given is one bit of idxNum, and the values come
** to xFilter in the order of the bits.  idxStr says in words what will be done, for
** EXPLAIN QUERY PLAN.
**
** argument            taken from                        else
** a hidden column     column = value                    an error: nothing but = is meant
**   of ids            column IN (…), or =               an error
** the query of MATCH  column MATCH value                an error
** the ids to keep to  id IN (…)                         id = …, id < … are left to SQLite
** k of MATCH          k = value, else LIMIT and OFFSET  rows come for as long as they are read
**
** LIMIT stands for k only where SQLite drops none of the rows that the search gives: with nothing
** but arguments in WHERE, and by distance or in any order.  SQLite hands it down from 3.41 on.
**
** An argument whose value is not yet known in the join order tried answers
** SQLITE_CONSTRAINT, so that the planner tries another.  `id = …` is never taken: it is
** a join condition on the k rows, and taking it would make the answer depend on the
** join order.
**
** An argument that a search must have, which the statement names but the call does not show, as
** for a side of an OR before SQLite 3.50, makes the plan too dear to be chosen; where there is no
** other, as for `SELECT "table" FROM ann_search`, the search refuses NULL in its place.
**
** Cost: high, so that a search is never the inner loop of a join that can be turned
** round; rows: k where it is known, else 10.
*/
#ifndef ANN_SQL_PLAN_H
#define ANN_SQL_PLAN_H

#include "sql/arguments.h"

/* Fill `info` for a search.  SQLITE_CONSTRAINT, or ANN_ERROR with a sentence, as above. */
int ann_plan_search(const AnnForm *form, sqlite3_index_info *info, char **out_message);

#endif
