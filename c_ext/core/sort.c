/* sort.c -- see sort.h: runs by qsort, merged by twos; ids by their bytes. */
#include "core/sort.h"

#include <stdlib.h>

typedef int (*Compare)(const void *, const void *);

/* The items a[0..n_a) and, right after them, b[0..n_b), each in order, as one into `out`. */
static int merge(const uint8_t *a, int64_t n_a, int64_t n_b, size_t size, Compare compare,
                 const AnnPoll *poll, uint8_t *out) {
  const uint8_t *b = a + (size_t)n_a * size;
  int64_t n = 0;
  int rc = ANN_OK;
  while (n_a + n_b > 0 && rc == ANN_OK) {
    int first = n_b == 0 || (n_a > 0 && compare(a, b) <= 0);
    const uint8_t **from = first ? &a : &b;
    memcpy(out, *from, size);
    *from += size;
    n_a -= first;
    n_b -= !first;
    out += size;
    if (++n % ANN_SORT_RUN == 0) rc = ann_poll(poll);
  }
  return rc;
}

static int64_t at_most(int64_t n, int64_t most) { return n < most ? n : most; }

static int sort_runs(uint8_t *items, int64_t n, size_t size, Compare compare,
                     const AnnPoll *poll) {
  int rc = ANN_OK;
  int64_t i;
  for (i = 0; i < n && rc == ANN_OK; i += ANN_SORT_RUN) {
    qsort(items + (size_t)i * size, (size_t)at_most(n - i, ANN_SORT_RUN), size, compare);
    rc = ann_poll(poll);
  }
  return rc;
}

int ann_sort(void *items, int64_t n, size_t size, Compare compare, const AnnPoll *poll) {
  uint8_t *from = items, *to, *room;
  int64_t run, i;
  int rc = ANN_OK;
  if (n <= ANN_SORT_RUN) {
    if (n > 1) qsort(items, (size_t)n, size, compare);
    return ANN_OK;
  }
  room = to = ann_alloc_array((uint64_t)n, size); /* owned */
  if (!room) return ANN_NOMEM;
  rc = sort_runs(from, n, size, compare, poll);
  for (run = ANN_SORT_RUN; run < n && rc == ANN_OK; run *= 2) {
    uint8_t *merged = to;
    for (i = 0; i < n && rc == ANN_OK; i += 2 * run) {
      int64_t n_a = at_most(n - i, run);
      rc = merge(from + (size_t)i * size, n_a, at_most(n - i - n_a, run), size, compare, poll,
                 to + (size_t)i * size);
    }
    if (rc != ANN_OK) break;
    to = from;
    from = merged;
  }
  /* Whole when it was stopped, too: each round leaves what it reads as it was. */
  if (from != items) memcpy(items, from, (size_t)n * size);
  ann_free(room);
  return rc;
}

/* One pass of a radix sort, by the byte at `shift`; the sign bit turned, so that negative ids
** come first. */
static void sort_by_byte(const int64_t *ids, int64_t n, int shift, int64_t *out) {
  int64_t starts[256] = {0}, before_it = 0, i;
  uint64_t turned = (uint64_t)1 << 63;
  for (i = 0; i < n; i++) starts[(((uint64_t)ids[i] ^ turned) >> shift) & 255]++;
  for (i = 0; i < 256; i++) {
    int64_t count = starts[i];
    starts[i] = before_it;
    before_it += count;
  }
  for (i = 0; i < n; i++) out[starts[(((uint64_t)ids[i] ^ turned) >> shift) & 255]++] = ids[i];
}

int64_t *ann_sort_ids(int64_t *ids, int64_t *other, int64_t n) {
  uint64_t differ = 0;
  int64_t i;
  int shift;
  for (i = 1; i < n; i++) differ |= (uint64_t)ids[i] ^ (uint64_t)ids[0];
  for (shift = 0; shift < 64; shift += 8) {
    int64_t *sorted = other;
    if (!(differ >> shift & 255)) continue;
    sort_by_byte(ids, n, shift, sorted);
    other = ids;
    ids = sorted;
  }
  return ids;
}
