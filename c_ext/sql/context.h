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
  int created; /* by the open transaction, which may take that back unheard */
  int absorb; /* percent of the rows that may wait; 0: never absorb by itself */
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

/* The ann table of that name, opened if need be.  The name is taken whole (temp, main,
** then attached), else split at its first dot.  ANN_ERROR with one sentence in *out_message
** (sqlite3_malloc) when there is none.
**
** SQLite may replace its virtual table whenever the schema changes: by another
** connection, by a rollback.  *out_hold, a statement that mentions it and was just run, makes
** sure that this is the present one, and keeps it until ann_context_let_go. */
int ann_context_find(AnnContext *context, const char *name, AnnTable **out_table,
                     sqlite3_stmt **out_hold, char **out_message);
/* The same by schema and name. */
int ann_context_open(AnnContext *context, const char *schema, const char *name,
                     AnnTable **out_table, sqlite3_stmt **out_hold, char **out_message);
void ann_context_let_go(sqlite3_stmt *hold);
void ann_context_add(AnnContext *context, AnnTable *table);
void ann_context_remove(AnnContext *context, AnnTable *table);
/* For sqlite3_create_module_v2: gives one reference back. */
void ann_context_release(void *context);

/* Copy the store's sentence to where SQLite looks for it; returns rc. */
int ann_context_report(const AnnStore *store, int rc, char **out_message);

#endif
