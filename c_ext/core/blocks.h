/* blocks.h -- many items of one size, by number, one after the other in blocks of memory.
**
** Items allocated one by one lie anywhere, and whoever goes through all of them waits for memory
** at each; one array moves them all, and has them twice, whenever it grows.  Blocks do not move,
** and from one item to the next it is a step of `size` bytes to the end of the block.
**
**   ann_blocks_add, _drop_last   O(1)      ann_blocks_at, _run   O(1)
*/
#ifndef ANN_CORE_BLOCKS_H
#define ANN_CORE_BLOCKS_H

#include "core/base.h"

#define ANN_BLOCKS_BYTES 32768 /* of a block, at most, unless a single item is larger */

/* cffi:on */
typedef struct AnnBlocks {
  uint8_t **blocks; /* owned, and what they point to: all but the last are full */
  int64_t n_blocks, n_allocated;
  int64_t n;    /* items, numbered from 0 */
  int64_t size; /* bytes from one to the next */
  int shift;    /* a block has 2^shift of them */
} AnnBlocks;

void ann_blocks_init(AnnBlocks *blocks, int64_t size);
int ann_blocks_add(AnnBlocks *blocks);
void ann_blocks_drop_last(AnnBlocks *blocks);
void ann_blocks_clear(AnnBlocks *blocks);
/* cffi:off */

/* ann_blocks_init: without items; size: a multiple of 8, at least 8.
** ann_blocks_add: one item more, whose bytes are the caller's to set; ANN_OK, or ANN_NOMEM and
** nothing has changed.
** ann_blocks_drop_last: there is one; its block goes with its first item.
** ann_blocks_clear: no items, no memory; the size stays.
*/

/* Item i of n: stays where it is for as long as it is there. */
static inline void *ann_blocks_at(const AnnBlocks *blocks, int64_t i) {
  int64_t in_block = i & (((int64_t)1 << blocks->shift) - 1);
  return blocks->blocks[i >> blocks->shift] + in_block * blocks->size;
}

/* How many items, from i of n on, lie one after the other: 1 or more. */
static inline int64_t ann_blocks_run(const AnnBlocks *blocks, int64_t i) {
  int64_t end = ((i >> blocks->shift) + 1) << blocks->shift;
  return (end < blocks->n ? end : blocks->n) - i;
}

#endif
