/* ranges.c -- see ranges.h. */
#include "index/ranges.h"

#include "core/grow.h"

/* ---- one range ---- */

static int has(const AnnRange *range, int64_t place) {
  return place < range->high && range->marks[place / 32] >> place % 32 & 1;
}

static void set(AnnRange *range, int64_t place) {
  range->marks[place / 32] |= (uint32_t)1 << place % 32;
  if (range->n++ == 0) range->low = place;
  if (place < range->low) range->low = place;
  if (place >= range->high) range->high = place + 1;
}

static void unset(AnnRange *range, int64_t place) {
  range->marks[place / 32] &= ~((uint32_t)1 << place % 32);
  range->n--;
}

/* Words for a place, zeros at first.  ANN_OK or ANN_NOMEM. */
static int reserve(AnnRange *range, int64_t place) {
  int64_t before = range->n_words;
  int rc = ann_grow(&range->marks, place / 32, 1, &range->n_words, sizeof *range->marks);
  if (rc == ANN_OK && range->n_words > before) {
    memset(range->marks + before, 0, (size_t)(range->n_words - before) * sizeof *range->marks);
  }
  return rc;
}

static void clear(AnnRanges *ranges, AnnRange *range) {
  if (ranges->reading == range) ranges->reading = NULL;
  ann_free(range->marks);
  memset(range, 0, sizeof *range);
}

int64_t ann_range_next(const AnnRange *range, int64_t from, int64_t to, int marked) {
  uint32_t others = marked ? 0 : UINT32_MAX; /* makes of what is looked for bits that are set */
  while (from < to) {
    uint32_t bits = (range->marks[from / 32] ^ others) >> from % 32;
    if (bits) {
      from += ann_lowest_bit(bits);
      return from < to ? from : to;
    }
    from += 32 - from % 32;
  }
  return to;
}

/* ---- reading ---- */

AnnRange *ann_ranges_find(AnnRanges *ranges, int64_t first, int64_t last) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    AnnRange *range = &ranges->of[i];
    if (range->n > 0 && range->first == first && range->through <= last) {
      range->last = last;
      return range;
    }
  }
  return NULL;
}

/* One that is none, or else the oldest, which then is none. */
static AnnRange *take(AnnRanges *ranges) {
  AnnRange *range;
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    if (ranges->of[i].n == 0) return &ranges->of[i];
  }
  range = &ranges->of[ranges->oldest];
  ranges->oldest = (ranges->oldest + 1) % ANN_N_RANGES;
  return range;
}

void ann_ranges_begin(AnnRanges *ranges, int64_t first, int64_t last) {
  AnnRange *range = ann_ranges_find(ranges, first, last);
  if (!range) {
    range = take(ranges);
    clear(ranges, range);
    range->first = first;
    range->last = last;
  }
  ranges->reading = range;
}

void ann_ranges_read(AnnRanges *ranges, int64_t id, int64_t place) {
  AnnRange *range = ranges->reading;
  if (!range) return;
  if (reserve(range, place) != ANN_OK) {
    ann_ranges_end(ranges, 0);
    return;
  }
  set(range, place);
  range->through = id;
}

void ann_ranges_end(AnnRanges *ranges, int complete) {
  AnnRange *range = ranges->reading;
  if (range && complete) range->through = range->last;
  ranges->reading = NULL;
}

/* ---- what becomes of rows ---- */

static int knows(const AnnRange *range, int64_t id) {
  return range->n > 0 && range->first <= id && id <= range->through;
}

int ann_ranges_have(const AnnRanges *ranges, int64_t id) {
  int i, known = 0;
  for (i = 0; i < ANN_N_RANGES; i++) known |= knows(&ranges->of[i], id);
  return known;
}

void ann_ranges_join(AnnRanges *ranges, int64_t id, int64_t place) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    AnnRange *range = &ranges->of[i];
    if (!knows(range, id)) continue;
    if (reserve(range, place) != ANN_OK) clear(ranges, range);
    else if (!has(range, place)) set(range, place);
  }
}

void ann_ranges_leave(AnnRanges *ranges, int64_t place, int64_t last_place) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    AnnRange *range = &ranges->of[i];
    int moves = place != last_place && has(range, last_place);
    if (has(range, place)) unset(range, place);
    if (moves) {
      unset(range, last_place);
      set(range, place);
    }
    if (range->high > last_place) range->high = last_place;
    if (range->n == 0 && range->marks) clear(ranges, range);
  }
}

void ann_ranges_forget(AnnRanges *ranges, int64_t place) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    if (has(&ranges->of[i], place)) clear(ranges, &ranges->of[i]);
  }
}

void ann_ranges_forget_id(AnnRanges *ranges, int64_t id) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) {
    if (knows(&ranges->of[i], id)) clear(ranges, &ranges->of[i]);
  }
}

void ann_ranges_clear(AnnRanges *ranges) {
  int i;
  for (i = 0; i < ANN_N_RANGES; i++) clear(ranges, &ranges->of[i]);
}
