/* context.h -- what one connection knows: its open ann tables, by schema and name.
**
** Table functions such as ann_search are given a table's name; the virtual table
** itself, with its store, is made by SQLite when a statement first mentions it.
*/
#ifndef ANN_SQL_CONTEXT_H
#define ANN_SQL_CONTEXT_H

#include "index/store.h"

typedef struct AnnTable {
  sqlite3_vtab base;            /* first: SQLite's part */
  struct AnnContext *context;   /* borrowed */
  struct AnnTable *next;        /* in the context's list */
  AnnStore *store;              /* owned */
  struct AnnSearcher *searcher; /* owned: made at the first search */
  int created; /* by the open transaction, which may take that back unheard */
  int absorb; /* percent of the rows that may wait; 0: never absorb by itself */
  int64_t row_changes; /* state.changes when the row began */
  int64_t mutations_seen; /* the store's, when the row began: was it half-made? */
  int due; /* rows were put on the waiting list and may be absorbed */
  int streak; /* rows written by the running statement so far */
  int changes_seen; /* sqlite3_total_changes after the last row: tells statements apart */
} AnnTable;

typedef struct AnnContext {
  sqlite3 *db; /* borrowed */
  AnnTable *tables; /* the open ones */
  int references; /* modules registered with it */
  int64_t generation; /* raised by every write and rollback of an ann table */
} AnnContext;

/* A statement that mentions an ann table: it makes sure that the table is the present one,
** for SQLite may replace its virtual table whenever the schema changes, by another
** connection or by a rollback; and it keeps it.  Zeroed at first; owned; used again for as
** long as the same table is asked for. */
typedef struct AnnHold {
  sqlite3_stmt *stmt;           /* owned, reset */
  char *schema, *name;          /* owned */
} AnnHold;

/* The ann table of that name, opened if need be.  The name is taken whole (temp, main,
** then attached), else split at its first dot.  ANN_ERROR with one sentence in *out_message
** (sqlite3_malloc) when there is none.  The table stays until ann_hold_clear, or the next call
** with the same hold. */
int ann_context_find(AnnContext *context, const char *name, AnnHold *hold, AnnTable **out_table,
                     char **out_message);
/* The same by schema and name. */
int ann_context_open(AnnContext *context, const char *schema, const char *name, AnnHold *hold,
                     AnnTable **out_table, char **out_message);
void ann_hold_clear(AnnHold *hold);
void ann_context_add(AnnContext *context, AnnTable *table);
void ann_context_remove(AnnContext *context, AnnTable *table);
/* For sqlite3_create_module_v2: gives one reference back. */
void ann_context_release(void *context);

/* Copy the store's sentence to where SQLite looks for it; returns rc. */
int ann_context_report(const AnnStore *store, int rc, char **out_message);

#endif
