/* shortlist.h -- the n best estimates of a search, in no order; then their ids, ascending.
**
** A heap keeps its limit exact at every step, and pays for that with a walk down the heap for
** every newcomer.  Here newcomers are appended; when twice as many as wanted have come, a
** limit is picked with which at most half more than the wanted remain, and those above it are
** forgotten.  So the limit lags a little behind; what is kept in the end is selected exactly
** (Hoare's FIND), and is the same.
**
**   ann_shortlist_add       O(1), amortised
**   ann_shortlist_finish    O(n)
*/
#ifndef ANN_CORE_SHORTLIST_H
#define ANN_CORE_SHORTLIST_H

#include "core/base.h"

/* cffi:on */
typedef struct AnnShortlist {
  float *keys;  /* owned: of n items; smaller is better */
  int64_t *ids; /* owned: theirs */
  int64_t n;    /* below 2 wanted */
  int64_t wanted;
  int64_t allocated; /* of keys and of ids, each */
  float limit;       /* no item above it is among the best; +infinity at first */
} AnnShortlist;

int ann_shortlist_reserve(AnnShortlist *list, int64_t wanted);
void ann_shortlist_restart(AnnShortlist *list, int64_t wanted);
void ann_shortlist_widen(AnnShortlist *list, int64_t wanted);
int ann_shortlist_add(AnnShortlist *list, float key, int64_t id);
int64_t ann_shortlist_count(const AnnShortlist *list);
void ann_shortlist_select(AnnShortlist *list);
int ann_shortlist_finish(AnnShortlist *list, const int64_t **out_ids, int64_t *out_n);
void ann_shortlist_clear(AnnShortlist *list);
/* cffi:off */

/* An AnnShortlist begins as zeros.
** ann_shortlist_reserve: all the memory that `wanted` need, so that no add fails.  ANN_OK or
** ANN_NOMEM; clear frees it.
** ann_shortlist_restart: empty, in the same memory; wanted: at least 1.
** ann_shortlist_widen: from now on keep so many, if that is more; what was forgotten does not come
** back.
** ann_shortlist_add: ANN_OK or ANN_NOMEM (nothing changed).  NaN counts as +infinity.
** ann_shortlist_count: how many of the best are kept, at most `wanted`.
** ann_shortlist_select: only the `wanted` best are left, in no order; more may be added.
** ann_shortlist_finish: the different ids among the `wanted` items that are smallest by
** (key, id), ascending; borrowed until the next call.  ANN_OK or ANN_NOMEM.
*/

#endif
