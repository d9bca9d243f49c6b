/* context.h -- what one connection knows: its ann tables, by schema and name.
**
** Table functions such as ann_search are given a table's name.  SQLite makes the virtual table
** when a statement first mentions it, and may replace it whenever the schema changes, also in
** the middle of a transaction that has written to it (a failed ATTACH is enough).  So the
** table, with its store and the connection's settings, belongs to the context: a shelf from
** which virtual tables take it and to which they give it back.  While one of them has it, all
** share the same memory; when none has, only the settings stay.
*/
#ifndef ANN_SQL_CONTEXT_H
#define ANN_SQL_CONTEXT_H

#include "index/order.h"
#include "index/store.h"

typedef struct AnnTable {
  struct AnnContext *context; /* borrowed */
  struct AnnTable *next;      /* on the shelf */
  int references;             /* virtual tables that have it */
  int64_t serial;             /* no other table of the context has or had it */
  int orphaned;               /* dropped, or another took the name */
  char *name_before; /* owned: that it was renamed from, which may be undone; or NULL */
  AnnStore *store;   /* owned */
  struct AnnSearcher *searcher; /* owned: made at the first search */
  int64_t created;        /* the mark of one made in the open transaction (store.h), else 0 */
  int absorb;             /* percent of the rows that may wait; 0: never absorb by itself */
  int64_t row_changes;    /* state.changes when the row began */
  int64_t mutations_seen; /* the store's, when the row began: was it half-made? */
  int due;                /* rows were put on the waiting list and may be absorbed */
  int streak;             /* rows written by the running statement so far */
  int changes_seen;       /* sqlite3_total_changes after the last row: tells statements apart */
} AnnTable;

/* SQLite's part: one of the virtual tables that have a table. */
typedef struct AnnVtab {
  sqlite3_vtab base;          /* first */
  AnnTable *table;            /* counted */
  struct AnnAnswers *answers; /* owned: of its searches; made at the first */
#ifndef NDEBUG
  AnnOrder order;
#endif
} AnnVtab;

static inline AnnTable *ann_table_of(const sqlite3_vtab *vtab) {
  return ((const AnnVtab *)vtab)->table;
}

/* Hold a call of SQLite's against the order that we rely on (order.h); n: of a savepoint. */
#ifdef NDEBUG
#define ANN_KEEP_ORDER(vtab, call, n) ((void)0)
#else
#define ANN_KEEP_ORDER(vtab, call, n)         \
  ann_order_keep(&((AnnVtab *)(vtab))->order, \
                 ann_db_name(((AnnVtab *)(vtab))->table->store->db), call, n)
#endif

/* How the text of a statement of ours begins that is not at rest between SQLite's calls. */
#define ANN_SCAN_MARK "/* scan of an ann table */ "

typedef struct AnnContext {
  sqlite3 *db;        /* borrowed */
  AnnTable *tables;   /* owned: the shelf */
  int references;     /* modules registered with it */
  int64_t marks;      /* tables created, ever */
  int64_t serials;    /* tables made, ever */
  int64_t generation; /* raised by every write and rollback of an ann table */
} AnnContext;

/* A statement that mentions an ann table: it makes sure that the table is the present one,
** for SQLite may replace its virtual table whenever the schema changes, by another
** connection or by a rollback; and it keeps it.  Zeroed at first; owned; used again for as
** long as the same table is asked for. */
typedef struct AnnHold {
  sqlite3_stmt *stmt;  /* owned, reset */
  char *schema, *name; /* owned */
} AnnHold;

/* The ann table of that name, opened if need be.  The name is taken whole (temp, main, then
** attached), else split at its first dot.  ANN_ERROR with one sentence in *out_message
** (sqlite3_malloc), which begins with the asking function, when there is none, and for NULL.
** The table stays until ann_hold_clear, or the next call with the same hold. */
int ann_context_find(AnnContext *context, const char *function, sqlite3_value *name,
                     AnnHold *hold, AnnTable **out_table, char **out_message);
/* The same by schema and name; the sentence begins with nobody. */
int ann_context_open(AnnContext *context, const char *schema, const char *name, AnnHold *hold,
                     AnnTable **out_table, char **out_message);
void ann_hold_clear(AnnHold *hold);
/* The table of that name and those options, made if need be; `fresh`: a new one in any case,
** for CREATE.  Counted: give it back.  Takes over *options on success. */
int ann_context_take(AnnContext *context, const char *schema, const char *name,
                     AnnOptions *options, int fresh, AnnTable **out_table);
void ann_context_give(AnnTable *table);
/* A table made in this transaction, and then undone by a rollback to a savepoint from before,
** is not told; what has its name then is another's. */
int ann_context_is_present(AnnTable *table);
/* The table was dropped: whoever asks for the name next gets another. */
void ann_context_orphan(AnnTable *table);
/* The table takes a name: what was kept for one that had it, and that nobody has, goes.  A rollback
** takes the name back and does not tell: the one before is remembered. */
int ann_context_rename(AnnTable *table, const char *new_name);
/* Another load of the extension finds the context of the first: 0 when there is none. */
int ann_context_exists(sqlite3 *db);
int ann_context_register(sqlite3 *db, AnnContext *context);
/* For sqlite3_create_module_v2: gives one reference back. */
void ann_context_release(void *context);

/* Copy the store's sentence to where SQLite looks for it; returns rc. */
int ann_context_report(const AnnStore *store, int rc, char **out_message);

#endif
