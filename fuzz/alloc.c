/* alloc.c -- the allocation that core/ wants, for fuzzing without SQLite. */
#include <stdlib.h>

#include "core/base.h"

void *ann_alloc(uint64_t n) { return malloc(n ? n : 1); }
void *ann_realloc(void *p, uint64_t n) { return realloc(p, n ? n : 1); }
void ann_free(void *p) { free(p); }
