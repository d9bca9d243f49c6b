/* base.h -- what every file stands on: status codes, allocation, small helpers.
**
** core/ knows nothing of SQLite.  Whoever links it supplies the three allocation
** functions: the extension over SQLite's allocator, the tests over one that can
** be told to fail.
*/
#ifndef ANN_CORE_BASE_H
#define ANN_CORE_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Status codes; equal to SQLite's, so that they travel upwards unchanged. */
#define ANN_OK 0
#define ANN_ERROR 1
#define ANN_NOMEM 7
#define ANN_INTERRUPT 9
#define ANN_CORRUPT 267 /* SQLITE_CORRUPT_VTAB */

/* Limits of the product (SQL.md). */
#define ANN_MAX_DIMENSIONS 65536
#define ANN_MAX_TREES 8

/* Bytes of a clause, with its end, that says what was expected of a vector and what came. */
#define ANN_VECTOR_MESSAGE 200

/* cffi:on */
void *ann_alloc(uint64_t n);
void *ann_realloc(void *p, uint64_t n);
void ann_free(void *p);
/* cffi:off */

/* No single allocation above this: a damaged length must not take the machine. */
#define ANN_MAX_ALLOC ((uint64_t)1 << 30)

/* n objects of `size` bytes, or NULL when the product is too large or memory is out. */
static inline void *ann_alloc_array(uint64_t n, uint64_t size) {
  if (n == 0) n = 1;
  if (size && n > ANN_MAX_ALLOC / size) return NULL;
  return ann_alloc(n * size);
}

static inline void *ann_realloc_array(void *p, uint64_t n, uint64_t size) {
  if (n == 0) n = 1;
  if (size && n > ANN_MAX_ALLOC / size) return NULL;
  return ann_realloc(p, n * size);
}

/* Zeroed n objects of `size` bytes, or NULL. */
static inline void *ann_alloc_zero(uint64_t n, uint64_t size) {
  void *p = ann_alloc_array(n, size);
  if (p) memset(p, 0, (size_t)((n ? n : 1) * size));
  return p;
}

/* The place of the lowest bit set; bits is not 0. */
static inline int ann_lowest_bit(uint32_t bits) {
  int i = 0;
#if defined(__GNUC__)
  i = __builtin_ctz(bits);
#else
  while (!(bits >> i & 1)) i++;
#endif
  return i;
}

/* Long work asks now and then whether to go on: check(arg) is ANN_OK, or the code
** with which to stop (ANN_INTERRUPT). */
/* cffi:on */
typedef struct AnnPoll {
  int (*check)(void *arg);
  void *arg;
} AnnPoll;
/* cffi:off */

static inline int ann_poll(const AnnPoll *poll) {
  return poll && poll->check ? poll->check(poll->arg) : ANN_OK;
}

#endif
