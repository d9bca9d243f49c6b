/* divide.h -- a full page becomes two, or moves its centre, and its parent learns of it.
**
** A leaf's members are read from the vectors table and split by a hyperplane between
** two centroids (core/split.h); a directory's children are split by their centres.
** The parent gains an entry, and is divided first when it is full; a root gets a new
** root above it.
*/
#ifndef ANN_INDEX_DIVIDE_H
#define ANN_INDEX_DIVIDE_H

#include "index/walk.h"

/* Divide a full leaf; *out_other is the number of the new one. */
int ann_divide_leaf(AnnStore *store, int tree, uint32_t number, uint32_t *out_other);

/* Move a leaf's centre to the mean of its members and encode them anew against it, if the
** square of the way there is more than that share of their mean squared distance; else
** *out_moved is 0 and nothing is changed.  n rows are read and encoded; the leaf becomes its
** parent's last child. */
int ann_divide_recentre(AnnStore *store, int tree, uint32_t number, double share,
                        int *out_moved);

/* Enter a page in its parent, as its own centre record says.  Both are touched by the
** caller. */
int ann_divide_enter(AnnStore *store, AnnPage *parent, uint32_t number, const AnnPage *page);

#endif
