/* bitmap.h -- a set of 64-bit ids as bytes: which rows a search may return, or may not.
**
** The bytes are a value of SQL, which a user may store and hand back: they are validated once,
** in ann_bitmap_open, and then looked at where they are. The ids are cut into chunks of
** 65,536; a chunk with few of them is a list of their lower halves, any other one bit for each
** id that it could hold. So a set is at most three times as large as the list of its ids, and
** of rows that follow one another it takes a byte for eight rows. Every set has one form only:
** equal sets are equal bytes.
**
** SET OF IDS    offset  size  meaning                       (little-endian)
**                    0     4  magic, "ANNS"
**                    4     8  n, number of ids
**                   12     8  m, number of chunks
**                   20  16*m  chunks, ascending by key, of which each is
**                     0   8     key: the upper 48 bits of its ids, the sign bit turned
**                     8   4     where its ids begin, from the set's first byte
**                    12   4     how many they are, 1 to 65,536
**            20 + 16*m        the ids of the chunks, one after the other, without a gap:
**                               up to 512: uint16 each, ascending; zeros up to 8 bytes
**                               more:      8,192 bytes; bit i is byte[i/8] >> (i%8) & 1
**
** Its size is never a multiple of 8, by which it is told from a list of 64-bit integers.
**
**   ann_bitmap_has    O(1) where no chunk between the first and the last lacks, else O(log m);
**                     in a list nine steps more
**   ann_bitmap_open   O(size)       ann_bitmap_make   O(n)       ann_bitmap_ids   O(n + size)
*/
#ifndef ANN_CORE_BITMAP_H
#define ANN_CORE_BITMAP_H

#include "core/bytes.h"

#define ANN_BITMAP_MAGIC 0x534e4e41u
#define ANN_BITMAP_HEADER 20
#define ANN_BITMAP_CHUNK 16
#define ANN_BITMAP_LISTED 512 /* so many ids of a chunk may be a list */
#define ANN_BITMAP_BITS 8192  /* bytes of 65,536 bits */

/* cffi:on */
typedef struct AnnBitmap {
  const uint8_t *bytes; /* borrowed */
  int64_t size;         /* theirs */
  int64_t n;            /* ids */
  int64_t n_chunks;
  uint64_t first; /* key of the first chunk */
  int is_gapless; /* the keys follow one another */
} AnnBitmap;

int ann_bitmap_make(const int64_t *ids, int64_t n, uint8_t **out_bytes, int64_t *out_size);
int ann_bitmap_open(AnnBitmap *bitmap, const uint8_t *bytes, int64_t size);
void ann_bitmap_ids(const AnnBitmap *bitmap, int64_t *out_ids);
int64_t ann_bitmap_find(const AnnBitmap *bitmap, uint64_t key);
int ann_bitmap_list_has(const uint8_t *list, int64_t n, uint32_t low);
/* cffi:off */

/* ann_bitmap_make: of ids that ascend, no two equal; the caller's (ann_free).  ANN_OK or ANN_NOMEM.
** ann_bitmap_open: borrows the bytes; ANN_ERROR when they are no set in the one form that it has.
** ann_bitmap_ids: all n of them, ascending.
** ann_bitmap_find: the place of the chunk with that key, or -1.
*/

static inline const uint8_t *ann_bitmap_chunk(const AnnBitmap *bitmap, int64_t i) {
  return bitmap->bytes + ANN_BITMAP_HEADER + ANN_BITMAP_CHUNK * i;
}

/* Ids in order as unsigned numbers. */
static inline uint64_t ann_bitmap_turned(int64_t id) {
  return (uint64_t)id ^ (uint64_t)1 << 63;
}

static inline int ann_bitmap_has(const AnnBitmap *bitmap, int64_t id) {
  uint64_t key = ann_bitmap_turned(id) >> 16, at = key - bitmap->first;
  uint32_t low = (uint32_t)id & 0xffff, n;
  const uint8_t *chunk, *ids;
  if (!bitmap->is_gapless) at = (uint64_t)ann_bitmap_find(bitmap, key);
  if (at >= (uint64_t)bitmap->n_chunks) return 0;
  chunk = ann_bitmap_chunk(bitmap, (int64_t)at);
  ids = bitmap->bytes + ann_get32(chunk + 8);
  n = ann_get32(chunk + 12);
  return n > ANN_BITMAP_LISTED ? ids[low / 8] >> low % 8 & 1 : ann_bitmap_list_has(ids, n, low);
}

#endif
