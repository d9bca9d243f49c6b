/* budget.h -- how much of a table may be in memory between searches, and who has the first
** right to it.
**
** Pages come first, for a page serves a search in twenty to a hundred, a vector one in
** thousands: rows hold what the pages leave.  Each gives way by itself (pages.h, rows.h), the
** one that was not asked for lately first.
*/
#ifndef ANN_INDEX_BUDGET_H
#define ANN_INDEX_BUDGET_H

#include "core/base.h"

/* cffi:on */
typedef struct AnnBudget {
  int64_t most;  /* bytes, of cache_mb */
  int64_t pages; /* bytes held by pages */
} AnnBudget;
/* cffi:off */

static inline int64_t ann_budget_bytes(int cache_mb) { return (int64_t)cache_mb << 20; }

/* Do the pages alone have more than there is for all? */
static inline int ann_budget_is_exceeded(const AnnBudget *budget) {
  return budget->pages > budget->most;
}

/* What they leave for rows, 0 or more. */
static inline int64_t ann_budget_for_rows(const AnnBudget *budget) {
  int64_t left = budget->most - budget->pages;
  return left > 0 ? left : 0;
}

#endif
