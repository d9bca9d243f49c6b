/* alloc.c -- core's allocation for the tests: over malloc, counted, and able to fail.
**
** Not thread-safe, as the core allocates in one thread only.
*/
#include <stdlib.h>

#include "core/base.h"

/* cffi:on */
/* From now on the n-th allocation (1 is the next) and all after it fail; 0: none fails. */
void ann_test_fail_from(int64_t n);
/* From now on the n-th allocation alone fails. */
void ann_test_fail_once(int64_t n);
/* Allocations that failed since the last of the two calls above. */
int64_t ann_test_failed(void);
/* Allocations not freed yet. */
int64_t ann_test_live(void);
/* cffi:off */

static int64_t countdown; /* allocations up to the first failure, 0 when none is due */
static int once;          /* whether the failure is a single one */
static int64_t failed;
static int64_t live;

void ann_test_fail_from(int64_t n) {
  countdown = n;
  once = 0;
  failed = 0;
}

void ann_test_fail_once(int64_t n) {
  ann_test_fail_from(n);
  once = 1;
}

int64_t ann_test_failed(void) { return failed; }

int64_t ann_test_live(void) { return live; }

/* Whether this allocation is one to fail. */
static int is_due(void) {
  if (countdown == 0) return 0;
  if (countdown > 1) {
    countdown--;
    return 0;
  }
  if (once) countdown = 0;
  failed++;
  return 1;
}

void *ann_alloc(uint64_t n) {
  void *p = n > ANN_MAX_ALLOC || is_due() ? NULL : malloc(n ? (size_t)n : 1);
  if (p) live++;
  return p;
}

void *ann_realloc(void *p, uint64_t n) {
  void *moved;
  if (p == NULL) return ann_alloc(n);
  moved = n > ANN_MAX_ALLOC || is_due() ? NULL : realloc(p, n ? (size_t)n : 1);
  return moved;
}

void ann_free(void *p) {
  if (p) live--;
  free(p);
}
