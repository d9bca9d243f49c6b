/* alloc.c -- core's allocation over SQLite's allocator, so that its limits and its
** fault injection reach every byte we use. */
#include "index/api.h"

void *ann_alloc(uint64_t n) { return n > ANN_MAX_ALLOC ? NULL : sqlite3_malloc64(n ? n : 1); }

void *ann_realloc(void *p, uint64_t n) {
  return n > ANN_MAX_ALLOC ? NULL : sqlite3_realloc64(p, n ? n : 1);
}

void ann_free(void *p) { sqlite3_free(p); }
