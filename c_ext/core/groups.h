/* groups.h -- rows in groups, as bytes: by whom each song is, or of which book.
**
** The bytes are a value of SQL, which a user may store and hand back: they are validated once, in
** ann_groups_open, and then looked at where they are.  The groups are numbered as they first come
** among the ascending ids, so that the same grouping is the same bytes.
**
** GROUPS OF IDS   offset  size  meaning                       (little-endian)
**                      0     4  magic, "ANNG"
**                      4     8  n, number of ids
**                     12     8  number of groups
**                     20   8*n  ids, ascending, no two equal
**               20 + 8*n   4*n  the group of each: at most one more than all before it
**
**   ann_groups_open, ann_groups_make   O(n)      ann_groups_find   O(log n)
*/
#ifndef ANN_CORE_GROUPS_H
#define ANN_CORE_GROUPS_H

#include "core/bytes.h"

#define ANN_GROUPS_MAGIC 0x474e4e41u
#define ANN_GROUPS_HEADER 20

/* cffi:on */
typedef struct AnnGroups {
  const uint8_t *bytes; /* borrowed */
  int64_t size;         /* theirs */
  int64_t n;            /* ids */
  int64_t n_groups;
} AnnGroups;

typedef struct AnnGrouped {
  int64_t id;
  int64_t group;
} AnnGrouped;

int ann_groups_make(const AnnGrouped *rows, int64_t n, int64_t n_groups, uint8_t **out_bytes,
                    int64_t *out_size);
int ann_groups_open(AnnGroups *groups, const uint8_t *bytes, int64_t size);
int64_t ann_groups_find(const AnnGroups *groups, int64_t id);
/* cffi:off */

/* ann_groups_make: of rows by ascending id, no two equal, whose groups are numbered as above; the
** caller's (ann_free).  ANN_OK or ANN_NOMEM.
** ann_groups_open: borrows the bytes; ANN_ERROR when they are no groups in the one form that they
** have.
** ann_groups_find: the group of an id, from 0, or -1 when it is in none.
*/

#endif
