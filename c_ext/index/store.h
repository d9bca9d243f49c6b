/* store.h -- one ann table's shadow tables as memory.
** Waiting ids are in waiting.h, pages in pages.h, places in places.h; all share one AnnStore.
**
** Changes to counters, pages and places are made in memory and written together by
** ann_store_flush, so that whatever can fail for a reason of ours has failed before
** the first of them is written.  ann_store_drop forgets them.
**
** ann_store_begin holds one statement open until ann_store_end, so that all reads in
** between see one state of the database.  What was read stays in memory from one call to
** the next, within the budget (cache_mb), for as long as SQLite says that the file is the
** same (SQLITE_FCNTL_DATA_VERSION, asked after the first read: before it the number is
** old).  Inside a write transaction on this table (xBegin ... xCommit) nobody else can
** write, and a rollback forgets everything.
*/
#ifndef ANN_INDEX_STORE_H
#define ANN_INDEX_STORE_H

#include "core/rotation.h"
#include "index/options.h"
#include "index/source.h"
#include "index/state.h"
#include "index/trace.h"

struct AnnCachedPage;
struct AnnPlaceEntry;
struct AnnRow;
struct AnnRun;
struct AnnEffortGrid;
struct AnnRouter;
struct AnnFollow;
struct AnnLearned;

typedef struct AnnStore {
  AnnDb *db;                /* owned */
  AnnSource *source;        /* owned: the vectors */
  AnnOptions options;       /* owned */
  AnnRotation rotation;     /* owned; made at first use */
  int checked;              /* the shadow tables were found in order */
  int in_write;             /* between xBegin and xCommit or xRollback */
  int depth;                /* ann_store_begin calls not yet ended */
  int drop_at_end;          /* rolled back in between: to be forgotten when they have ended */
  int poisoned;             /* written in part, then failed: only a rollback heals it */

  int kept;                 /* what is in memory belongs to kept_version */
  unsigned kept_version;    /* SQLITE_FCNTL_DATA_VERSION */
  int kept_in_write;        /* and was read in a write transaction on the file */
  int loaded;               /* state is what the database says, or newer */
  int dirty;                /* state is newer */
  AnnState state;

  int tail_open, tail_dirty;          /* a run of waiting ids still growing, in memory */
  int64_t tail_first, tail_last;
  int max_known;                      /* max_id is the largest id in the table */
  int64_t max_id;
  int gap_known;                      /* no run of waiting ids meets gap_first..gap_last */
  int64_t gap_first, gap_last;

  struct AnnCachedPage **pages;       /* owned: hash table of pages, see pages.c */
  int64_t n_pages, n_page_slots;
  int64_t page_bytes;                 /* bytes held by cached pages */
  int64_t n_dirty_pages;
  int64_t page_hand;                  /* where the clock that evicts them stands */
  int64_t n_page_hits; /* pages asked for and already in memory, for ann_info */
  struct AnnRow **rows;               /* owned: hash table of vectors, see rows.c */
  struct AnnRow *row;                 /* owned: one that is not kept */
  int64_t n_rows, n_row_slots, row_hand;
  int64_t n_row_hits;
  struct AnnRun *run;                 /* owned: rows of a range of ids, all kept */
  int none_wait; /* kept: there is no run of waiting ids */
  struct AnnEffortGrid *grid;         /* owned: the calibration, see effort.c */
  int grid_known;                     /* grid, or its absence, is what the database says */
  struct AnnFollow *follow; /* owned: the calibration in progress, see follow.h */
  int follow_known; /* follow, or its absence, is what the database says */
  struct AnnLearned *learned; /* owned: queries to calibrate with, see learned.h */
  struct AnnPlaceEntry *places; /* owned: changed places, see places.c */
  int64_t n_places, n_place_slots;
  struct AnnRouter *router; /* owned: scratch of inserts, one allocation, see route.h */

  int64_t n_searches; /* searches computed, for ann_info */
  int64_t n_inspected; /* vectors whose code the last search looked at */
  AnnTrace *trace; /* borrowed: of the search that is being explained, else NULL */
} AnnStore;

/* Takes over `options` on success. */
int ann_store_new(sqlite3 *db, const char *schema, const char *name, AnnOptions *options,
                  AnnStore **out_store);
void ann_store_free(AnnStore *store);
/* Forget prepared statements and all memory; before the tables are dropped or renamed. */
void ann_store_detach(AnnStore *store);

/* Nested calls are counted.  After a failure ann_store_end must still be called. */
int ann_store_begin(AnnStore *store);
/* For rebuilding whatever is stored: counters start from the rows counted, the config
** rows are written anew. */
int ann_store_begin_afresh(AnnStore *store);
void ann_store_end(AnnStore *store);
int ann_store_flush(AnnStore *store);
/* Before the tables themselves are looked at: write what the open transaction has changed, unless
** the connection must not write (PRAGMA query_only): then an error, and no harm. */
int ann_store_flush_to_look(AnnStore *store);
/* Is nothing in memory that is not written? */
int ann_store_is_clean(const AnnStore *store);
/* Between two rows of a write: above the budget, write what is changed and let pages go. */
int ann_store_make_room(AnnStore *store);
/* Forget everything in memory, written or not. */
void ann_store_drop(AnnStore *store);
/* The same where a call may be under way that holds pages, as when SQLite rolls everything back
** because one of that call's statements failed: then when it ends. */
void ann_store_forget(AnnStore *store);
/* The transaction was committed: what is in memory is the new state. */
void ann_store_committed(AnnStore *store);

/* A write failed half-way: nothing more until the transaction is rolled back.  Nothing if it
** is already, as SQLite does by itself when memory, disk or time is out. */
void ann_store_poison(AnnStore *store);
/* Bytes of one vector, in memory as in the table. */
static inline int64_t ann_store_vector_bytes(const AnnStore *store) {
  return store->options.dimensions * (int64_t)sizeof(float);
}

#endif
