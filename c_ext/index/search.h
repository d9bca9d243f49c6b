/* search.h -- the k nearest rows of a vector, and the next ones.
**
** Three ways, the cheapest of which is taken: the forest (seek.h), whose survivors' vectors and
** the waiting rows' are read and ranked exactly; every row of the table; or every row of a
** list.  Small tables, recall 1, a k near the number of rows, and short lists of ids are scored
** exactly.
**
** A search is started, and asked for the nearest k, and for more of them.  One that goes on
** keeps what it needs for that: nothing is then computed twice, unless the table has changed
** meanwhile or the forest's directories had to make room.
*/
#ifndef ANN_INDEX_SEARCH_H
#define ANN_INDEX_SEARCH_H

#include "index/seek.h"

/* The memory of a search, used again by the next one on the same table. */
typedef struct AnnSearcher AnnSearcher;

/* store: borrowed. */
int ann_searcher_new(AnnStore *store, AnnSearcher **out_searcher);
/* Also when the store is gone. */
void ann_searcher_free(AnnSearcher *searcher);
/* Its search is over: give back the memory of a large one. */
void ann_searcher_rest(AnnSearcher *searcher);

/* Inside ann_store_begin, as all that follows.  query: copied; what it points to is borrowed
** until the next start; its k is not looked at.  most: that will be asked for; asking for more
** all the same is right, too. */
void ann_search_start(AnnSearcher *searcher, const AnnQuery *query, int64_t most);
/* The k nearest rows so far, ascending by (distance, id), borrowed until the next call; of a
** search that goes on less those that were found too late, behind others that had been given.
** *out_done: there are no more than these.  k: at least that of the call before. */
int ann_search_reach(AnnSearcher *searcher, int64_t k, const AnnRanked **out_rows,
                     int64_t *out_n, int *out_done);

/* The query's k at once: at most k (distance, id), ascending; the caller clears *out_top. */
int ann_search(AnnSearcher *searcher, const AnnQuery *query, AnnTopk *out_top);

#endif
