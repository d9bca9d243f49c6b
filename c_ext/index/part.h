/* part.h -- many vectors, searched for some at a time.
**
** Few at first, for someone who wants only few answers, then four times as many, up to what has
** room in MOST_BYTES (part.c).  Who wants all answers begins with as many as there is room for.
** What the same connection writes between two parts, the later ones see.
**
** Cost: that of the searches (many.h).
*/
#ifndef ANN_INDEX_PART_H
#define ANN_INDEX_PART_H

#include "index/many.h"

/* Zeroed: before the first part. */
typedef struct AnnPart {
  int64_t most;     /* vectors that it has room for */
  int64_t n;        /* vectors */
  uint8_t *queries; /* owned: theirs, as queries of the table; until they are searched for */
  AnnTopk *tops;    /* owned: n, the nearest rows of each, ascending by (distance, id) */
} AnnPart;

/* Room for the next part in the place of the one before, for at most `most` vectors; all: all
** answers are wanted.  Whoever calls fills in n and the queries.  ANN_OK or ANN_NOMEM. */
int ann_part_begin(AnnPart *part, const AnnStore *store, int64_t k, int64_t most, int all);
/* Inside ann_store_begin.  asked: all but its n and its queries. */
int ann_part_search(AnnPart *part, AnnStore *store, AnnAsked asked);
void ann_part_clear(AnnPart *part);

#endif
