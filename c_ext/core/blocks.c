/* blocks.c -- see blocks.h. */
#include "core/blocks.h"

#include "core/grow.h"

void ann_blocks_init(AnnBlocks *blocks, int64_t size) {
  memset(blocks, 0, sizeof *blocks);
  blocks->size = size;
  while (size << (blocks->shift + 1) <= ANN_BLOCKS_BYTES) blocks->shift++;
}

int ann_blocks_add(AnnBlocks *blocks) {
  uint8_t *block;
  int rc;
  if (blocks->n == blocks->n_blocks << blocks->shift) {
    rc = ann_grow(&blocks->blocks, blocks->n_blocks, 1, &blocks->n_allocated, sizeof block);
    block = rc == ANN_OK ? ann_alloc((uint64_t)blocks->size << blocks->shift) : NULL;
    if (!block) return ANN_NOMEM;
    blocks->blocks[blocks->n_blocks++] = block;
  }
  blocks->n++;
  return ANN_OK;
}

void ann_blocks_drop_last(AnnBlocks *blocks) {
  blocks->n--;
  if (blocks->n == (blocks->n_blocks - 1) << blocks->shift) {
    ann_free(blocks->blocks[--blocks->n_blocks]);
  }
}

void ann_blocks_clear(AnnBlocks *blocks) {
  int64_t size = blocks->size, i;
  for (i = 0; i < blocks->n_blocks; i++) ann_free(blocks->blocks[i]);
  ann_free(blocks->blocks);
  ann_blocks_init(blocks, size);
}
