/* stored.h -- every stored page, in order of its number: read from the table, whatever is in
** memory.
**
** For whoever looks at all of them once: a check, the counts of a tree, filling the cache.
*/
#ifndef ANN_INDEX_STORED_H
#define ANN_INDEX_STORED_H

#include "core/page.h"
#include "index/db.h"

/* cffi:on */
typedef struct AnnStoredPage {
  int64_t number; /* as stored: beyond 1 .. 2^32-1 it is no page's */
  int64_t bytes;
  int is_valid;    /* and then: */
  AnnPage page;    /* owned by whoever took it, or cleared by the next call */
  int begun, done; /* the iterator's own */
} AnnStoredPage;

/* The next one, of points of `length` components; *each is zeroed at first.  *out_found is 0 at
** the end, or after a failure, when nothing is owned. */
int ann_stored_next(AnnDb *db, int64_t length, AnnStoredPage *each, int *out_found);
/* To end before the end. */
void ann_stored_end(AnnStoredPage *each);
/* cffi:off */

#endif
