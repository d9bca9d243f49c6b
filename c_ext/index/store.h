/* store.h -- one ann table in memory: its parts, and the state machine of its transactions.
**
** Each part is known to its own file only; whoever computes takes them from here.  What is not
** written yet is changed in memory and written together by ann_store_flush, so that whatever
** can fail for a reason of ours has failed before the first of it is written.
**
** ann_store_begin holds one statement open until ann_store_end, so that all reads in
** between see one state of the database.  What was read stays in memory from one call to
** the next, within the budget (cache_mb), for as long as the table is the same (snapshot.h).
** Inside a write transaction on this table (xBegin ... xCommit) nobody else can write, and a
** rollback forgets everything.  store.c has all of it in one table.
*/
#ifndef ANN_INDEX_STORE_H
#define ANN_INDEX_STORE_H

#include "core/rotation.h"
#include "index/content.h"
#include "index/effort.h"
#include "index/learned.h"
#include "index/notes.h"
#include "index/options.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/progress.h"
#include "index/rows.h"
#include "index/schema.h"
#include "index/snapshot.h"
#include "index/state.h"
#include "index/trace.h"
#include "index/waiting.h"

struct AnnRouter;

/* Where a table stands between the events of its transactions: store.c's own, a copy for others. */
typedef struct AnnLife {
  int checked;        /* the shadow tables were found in order */
  int writing;        /* between xBegin and xCommit or xRollback */
  int depth;          /* ann_store_begin calls not yet ended */
  int drop_at_end;    /* rolled back in between: to be forgotten when they have ended */
  int poisoned;       /* written in part, then failed: only a rollback heals it */
  int late_savepoint; /* the first that was opened after that, else INT_MAX */
  AnnSnapshot read;   /* of what is in memory */
  int loaded;         /* state is what the database says, or newer */
} AnnLife;

typedef struct AnnStore {
  AnnDb *db; /* owned, as all that follows */
  AnnOptions options;
  AnnRotation rotation; /* made at first use */
  AnnState state;
  AnnBudget budget;
  AnnContent *content; /* NULL: the table has vectors of its own */
  AnnNotes *notes;
  AnnSource *source;
  AnnPages *pages;
  AnnPlaces *places;
  AnnWaiting *waiting;
  AnnRows *rows;
  AnnEfforts *efforts;
  AnnLearned *learned;
  AnnProgresses *progresses;
  struct AnnRouter *router; /* scratch of inserts, one allocation, see route.h */
  AnnLife life;
  int64_t n_searches;  /* searches computed, for ann_info */
  int64_t n_inspected; /* vectors whose code the last search looked at */
  AnnTrace *trace;     /* borrowed: of the search that is being explained, else NULL */
} AnnStore;

/* Takes over `options` on success. */
int ann_store_new(sqlite3 *handle, const char *schema, const char *name, AnnOptions *options,
                  AnnStore **out_store);
void ann_store_free(AnnStore *store);
void ann_store_set_cache(AnnStore *store, int cache_mb);

/* ---- calls ---- */

/* Nested calls are counted.  After a failure ann_store_end must still be called. */
int ann_store_begin(AnnStore *store);
/* For rebuilding whatever is stored, poisoned or not: counters start from the rows counted, the
** config rows are written anew; over an ordinary table the triggers are made that it lacks. */
int ann_store_begin_afresh(AnnStore *store);
void ann_store_end(AnnStore *store);
int ann_store_flush(AnnStore *store);
/* Before the tables themselves are looked at: write what the open transaction has changed,
** unless the connection must not write (PRAGMA query_only): then an error, and no harm. */
int ann_store_flush_to_look(AnnStore *store);
/* Between two rows of a write: above the budget, write what is changed and let pages go. */
int ann_store_make_room(AnnStore *store);
/* A write failed half-way: nothing more until the transaction is rolled back.  Nothing if it
** is already, as SQLite does by itself when memory, disk or time is out. */
void ann_store_poison(AnnStore *store);

/* Is nothing in memory that is not written? */
int ann_store_is_clean(const AnnStore *store);
AnnLife ann_store_life(const AnnStore *store);
/* The state is known. */
static inline int ann_store_is_loaded(const AnnStore *store) {
  return ann_store_life(store).loaded;
}
static inline int ann_store_is_poisoned(const AnnStore *store) {
  return ann_store_life(store).poisoned;
}
/* A write transaction on the table is open. */
static inline int ann_store_is_writing(const AnnStore *store) {
  return ann_store_life(store).writing;
}
/* A call is under way. */
static inline int ann_store_is_busy(const AnnStore *store) {
  return ann_store_life(store).depth > 0;
}

/* ---- events ---- */

void ann_store_write_begins(AnnStore *store); /* or is begun already: then nothing */
void ann_store_committed(AnnStore *store);
void ann_store_rolled_back(AnnStore *store);
/* Savepoints, by their number: opened or released after all was flushed, or could not be. */
void ann_store_savepoint_opened(AnnStore *store, int n);
void ann_store_savepoint_released(AnnStore *store, int n);
void ann_store_rolled_back_to(AnnStore *store, int n);
/* The table was undone by a rollback that nobody told: forget everything, written or not. */
void ann_store_drop(AnnStore *store);
/* The tables are about to be dropped or renamed: forget also the statements. */
void ann_store_detach(AnnStore *store);
/* The same when nobody has the table any more. */
void ann_store_retire(AnnStore *store);
/* Somebody takes the table up: it may be another file's, or another table that took the
** name. */
void ann_store_take_up(AnnStore *store);

/* Which shadow tables there are; borrowed, until the table is renamed. */
static inline AnnSchema ann_store_schema(const AnnStore *store) {
  AnnSchema schema = {ann_db_handle(store->db), ann_db_schema(store->db),
                      ann_db_name(store->db), store->content != NULL};
  return schema;
}

/* Bytes of one vector, in memory as in the table. */
static inline int64_t ann_store_vector_bytes(const AnnStore *store) {
  return store->options.space.blob_size;
}

#endif
