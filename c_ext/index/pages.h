/* pages.h -- pages by number: read on first use, changed in memory, written together.
**
** Between searches pages are kept within the budget (cache_mb), see store.h.
** A pointer to a page is borrowed until ann_pages_flush, _drop, _trim or _forget;
** within one insert or slice of a build pages stay where they are.
**
**   ann_pages_get   O(1) when held; else one row read, one checksum (about 5 us for 16 kB)
*/
#ifndef ANN_INDEX_PAGES_H
#define ANN_INDEX_PAGES_H

#include "core/page.h"
#include "index/budget.h"
#include "index/db.h"
#include "index/state.h"
#include "index/trace.h"

/* cffi:on */
typedef struct AnnPages AnnPages;

/* What the pages of a table stand on; all borrowed. */
typedef struct AnnPagesPlan {
  AnnDb *db;
  AnnState *state; /* counts pages, and numbers new ones */
  AnnBudget *budget;
  AnnTrace *const *trace; /* of the search that is being explained, or NULL */
  int64_t length;         /* L */
  int leaf_capacity;
} AnnPagesPlan;

/* ANN_OK or ANN_NOMEM. */
int ann_pages_new(const AnnPagesPlan *plan, AnnPages **out_pages);
void ann_pages_free(AnnPages *pages);

/* The page, valid and of the stated tree (or ANN_ANY_TREE) and level (ANN_ANY_LEVEL: a
** directory); ANN_CORRUPT with a sentence otherwise. */
#define ANN_ANY_LEVEL (-1)
#define ANN_ANY_TREE (-1)
int ann_pages_get(AnnPages *pages, uint32_t number, int tree, int level, AnnPage **out_page);
/* The same if it is in memory and as stated, else NULL; changes nothing, so that many threads
** may ask while no page changes. */
AnnPage *ann_pages_peek(const AnnPages *pages, uint32_t number, int tree, int level);
/* The one or the other, on the way down from `parent` (0: a root), which the page must name: so
** no page is reached by two ways.  A worker may not read, and gets ANN_NOT_HERE for what
** ann_pages_peek does not have. */
#define ANN_NOT_HERE (-1)
int ann_pages_reach(AnnPages *pages, int may_read, uint32_t number, uint32_t parent, int tree,
                    int level, AnnPage **out_page);
/* Which child of `parent` the page is that names it as its parent; ANN_CORRUPT when it is none. */
int ann_pages_child(AnnPages *pages, uint32_t number, const AnnPage *page,
                    const AnnPage *parent, int *out_at);
/* Entries that a new page of a level holds at most.  A directory has twice as many as a leaf:
** fewer of them are opened by a search, and their children are told apart by their codes. */
int ann_pages_capacity(const AnnPages *pages, int level);
/* A new, empty, changed page with a number never used before. */
int ann_pages_add(AnnPages *pages, int tree, int level, uint32_t parent, uint32_t *out_number,
                  AnnPage **out_page);
/* Say that a page has been, or is about to be, changed. */
void ann_pages_touch(AnnPages *pages, uint32_t number);
int ann_pages_delete(AnnPages *pages, uint32_t number);
/* Delete every page, in the table and in memory. */
int ann_pages_delete_all(AnnPages *pages);

/* Write all changed pages, in order of their numbers. */
int ann_pages_flush(AnnPages *pages);
/* Let an unchanged page go. */
void ann_pages_forget(AnnPages *pages, uint32_t number);
/* A hint that a page, if it is in memory, is about to be scanned. */
void ann_pages_prefetch(const AnnPages *pages, uint32_t number);
/* A hint that the page is about to be looked up. */
void ann_pages_prefetch_slot(const AnnPages *pages, uint32_t number);
/* Let go of unchanged pages down to the budget, those that were not asked for lately first;
** of directories, into which steps of a walk may point, only in ann_pages_trim. */
void ann_pages_trim_leaves(AnnPages *pages);
void ann_pages_trim(AnnPages *pages);
/* Keep every page that there is room for, in order of number. */
int ann_pages_warm(AnnPages *pages);
void ann_pages_drop(AnnPages *pages);           /* forget all, changed or not */
int64_t ann_pages_held(const AnnPages *pages);  /* pages in memory */
int64_t ann_pages_dirty(const AnnPages *pages); /* pages changed and not written */
/* How often a directory was changed or let go, ever: whoever points into directories may go on
** for as long as it is the same. */
int64_t ann_pages_moved(const AnnPages *pages);
int64_t ann_pages_hits(const AnnPages *pages); /* asked for and already in memory, ever */
/* cffi:off */

#endif
