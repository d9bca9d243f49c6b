/* bitmap.c -- see bitmap.h. */
#include "core/bitmap.h"

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

/* Bytes of a chunk's ids. */
static int64_t bytes_of(int64_t n) {
  return n > ANN_BITMAP_LISTED ? ANN_BITMAP_BITS : (2 * n + 7) / 8 * 8;
}

/* How many of the ids from `at` on are in the chunk of the first of them. */
static int64_t chunk_length(const int64_t *ids, int64_t n, int64_t at) {
  uint64_t key = ann_bitmap_turned(ids[at]) >> 16;
  int64_t end = at + 1;
  while (end < n && ann_bitmap_turned(ids[end]) >> 16 == key) end++;
  return end - at;
}

/* ---- making ---- */

static void put_ids(uint8_t *to, const int64_t *ids, int64_t n) {
  int64_t i;
  for (i = 0; i < n; i++) {
    uint32_t low = (uint32_t)ids[i] & 0xffff;
    if (n > ANN_BITMAP_LISTED) {
      to[low / 8] |= (uint8_t)(1 << low % 8);
    } else {
      to[2 * i] = (uint8_t)low;
      to[2 * i + 1] = (uint8_t)(low >> 8);
    }
  }
}

int ann_bitmap_make(const int64_t *ids, int64_t n, uint8_t **out_bytes, int64_t *out_size) {
  int64_t n_chunks = 0, size = ANN_BITMAP_HEADER, at, length;
  uint8_t *bytes, *chunk, *to;
  for (at = 0; at < n; at += length, n_chunks++) {
    length = chunk_length(ids, n, at);
    size += ANN_BITMAP_CHUNK + bytes_of(length);
  }
  bytes = ann_alloc_zero((uint64_t)size, 1);
  if (!bytes) return ANN_NOMEM;
  ann_put32(bytes, ANN_BITMAP_MAGIC);
  ann_put64(bytes + 4, (uint64_t)n);
  ann_put64(bytes + 12, (uint64_t)n_chunks);
  chunk = bytes + ANN_BITMAP_HEADER;
  to = chunk + ANN_BITMAP_CHUNK * n_chunks;
  for (at = 0; at < n; at += length, chunk += ANN_BITMAP_CHUNK) {
    length = chunk_length(ids, n, at);
    ann_put64(chunk, ann_bitmap_turned(ids[at]) >> 16);
    ann_put32(chunk + 8, (uint32_t)(to - bytes));
    ann_put32(chunk + 12, (uint32_t)length);
    put_ids(to, ids + at, length);
    to += bytes_of(length);
  }
  *out_bytes = bytes;
  *out_size = size;
  return ANN_OK;
}

/* ---- validating ---- */

/* The ones in 64 bits, eight bytes at a time. */
static int64_t count_ones(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (int64_t)((x * 0x0101010101010101u) >> 56);
}

static int is_list(const uint8_t *list, int64_t n) {
  int64_t i;
  for (i = 1; i < n; i++) {
    if (get16(list + 2 * i) <= get16(list + 2 * i - 2)) return 0;
  }
  for (i = 2 * n; i < bytes_of(n); i++) {
    if (list[i]) return 0;
  }
  return 1;
}

static int has_bits(const uint8_t *bits, int64_t n) {
  int64_t i, ones = 0;
  for (i = 0; i < ANN_BITMAP_BITS; i += 8) ones += count_ones(ann_get64(bits + i));
  return ones == n;
}

/* The chunk's ids are n different ones, and written as they should be. */
static int is_chunk(const uint8_t *ids, int64_t n) {
  return n > ANN_BITMAP_LISTED ? has_bits(ids, n) : is_list(ids, n);
}

int ann_bitmap_open(AnnBitmap *bitmap, const uint8_t *bytes, int64_t size) {
  int64_t i, at, n = 0;
  uint64_t key = 0;
  memset(bitmap, 0, sizeof *bitmap);
  if (size < ANN_BITMAP_HEADER || ann_get32(bytes) != ANN_BITMAP_MAGIC) return ANN_ERROR;
  if (ann_get64(bytes + 12) > (uint64_t)(size - ANN_BITMAP_HEADER) / ANN_BITMAP_CHUNK) {
    return ANN_ERROR;
  }
  bitmap->bytes = bytes;
  bitmap->size = size;
  bitmap->n_chunks = (int64_t)ann_get64(bytes + 12);
  at = ANN_BITMAP_HEADER + ANN_BITMAP_CHUNK * bitmap->n_chunks;
  for (i = 0; i < bitmap->n_chunks; i++) {
    const uint8_t *chunk = ann_bitmap_chunk(bitmap, i);
    uint64_t before = key;
    int64_t length = ann_get32(chunk + 12);
    key = ann_get64(chunk);
    if (i == 0) bitmap->first = key;
    if (key >> 48 || (i > 0 && key <= before) || length < 1 || length > 65536) return ANN_ERROR;
    if (ann_get32(chunk + 8) != at || bytes_of(length) > size - at) return ANN_ERROR;
    if (!is_chunk(bytes + at, length)) return ANN_ERROR;
    at += bytes_of(length);
    n += length;
  }
  if (at != size || (uint64_t)n != ann_get64(bytes + 4)) return ANN_ERROR;
  bitmap->n = n;
  bitmap->is_gapless = bitmap->n_chunks == 0 ||
                       key - bitmap->first == (uint64_t)bitmap->n_chunks - 1;
  return ANN_OK;
}

/* ---- looking ---- */

int64_t ann_bitmap_find(const AnnBitmap *bitmap, uint64_t key) {
  int64_t from = 0, to = bitmap->n_chunks;
  while (from < to) {
    int64_t middle = from + (to - from) / 2;
    if (ann_get64(ann_bitmap_chunk(bitmap, middle)) < key) from = middle + 1;
    else to = middle;
  }
  return from < bitmap->n_chunks && ann_get64(ann_bitmap_chunk(bitmap, from)) == key ? from
                                                                                     : -1;
}

int ann_bitmap_list_has(const uint8_t *list, int64_t n, uint32_t low) {
  int64_t from = 0;
  while (n > 1) {
    int64_t half = n / 2;
    from += get16(list + 2 * (from + half)) <= low ? half : 0;
    n -= half;
  }
  return get16(list + 2 * from) == low;
}

void ann_bitmap_ids(const AnnBitmap *bitmap, int64_t *out_ids) {
  int64_t i, j, n = 0;
  for (i = 0; i < bitmap->n_chunks; i++) {
    const uint8_t *chunk = ann_bitmap_chunk(bitmap, i);
    const uint8_t *ids = bitmap->bytes + ann_get32(chunk + 8);
    int64_t length = ann_get32(chunk + 12), end = n + length;
    uint64_t base = ann_get64(chunk) << 16 ^ (uint64_t)1 << 63;
    for (j = 0; length <= ANN_BITMAP_LISTED && j < length; j++) {
      out_ids[n++] = (int64_t)(base | get16(ids + 2 * j));
    }
    for (j = 0; n < end; j++) {
      uint32_t bits = ann_get32(ids + 4 * j);
      for (; bits; bits &= bits - 1) {
        out_ids[n++] = (int64_t)(base | (uint64_t)(32 * j + ann_lowest_bit(bits)));
      }
    }
  }
}
