/* state.c -- see state.h. */
#include "index/state.h"

#include "core/bytes.h"

AnnDrift ann_state_drift(const AnnState *state) {
  int64_t then = state->calibrated_rows, now = state->placed;
  AnnDrift drift;
  drift.fewer = now < then ? now : then;
  drift.more = now < then ? then : now;
  drift.exchanges = state->changes - (drift.more - drift.fewer);
  if (drift.exchanges < 0) drift.exchanges = 0;
  return drift;
}

uint64_t ann_state_page(uint32_t number, uint64_t checksum) {
  const uint64_t prime = 0x9E3779B97F4A7C15u;
  uint64_t x = (checksum ^ number * prime) * prime;
  return x ^ (x >> 32);
}

void ann_state_fold(AnnState *state, int64_t id, const void *bytes, int64_t n) {
  state->history = ann_digest(state->history ^ (uint64_t)id, bytes, (size_t)n);
  state->dirty = 1;
}

void ann_state_encode(const AnnState *state, uint8_t *out) {
  int i;
  ann_put64(out, (uint64_t)state->rows);
  ann_put64(out + 8, (uint64_t)state->placed);
  ann_put64(out + 16, (uint64_t)state->last_page);
  ann_put64(out + 24, (uint64_t)state->leaf_pages);
  ann_put64(out + 32, (uint64_t)state->directory_pages);
  ann_put64(out + 40, (uint64_t)state->changes);
  ann_put64(out + 48, (uint64_t)state->calibrated_rows);
  ann_put64(out + 56, (uint64_t)state->planted_rows);
  for (i = 0; i < ANN_MAX_TREES; i++) ann_put32(out + 64 + 4 * i, state->roots[i]);
  ann_put64(out + 96, state->pages_sum);
  ann_put64(out + 104, state->history);
  memset(out + 112, 0, ANN_STATE_SIZE - 112);
}

static int is_count(int64_t n) { return n >= 0 && n <= ANN_MOST_ROWS; }

/* Either there is no forest, or a root for each tree; nothing is placed, and no page is there,
** without one. */
static int makes_sense(const AnnState *state, int trees) {
  int planted = state->roots[0] != 0, i;
  if (!is_count(state->rows) || !is_count(state->changes) ||
      !is_count(state->calibrated_rows) || !is_count(state->planted_rows) ||
      !is_count(state->leaf_pages) || !is_count(state->directory_pages)) {
    return 0;
  }
  if (state->placed < 0 || state->placed > state->rows || state->last_page < 0 ||
      state->last_page > UINT32_MAX ||
      state->leaf_pages + state->directory_pages > state->last_page ||
      (state->placed && !planted)) {
    return 0;
  }
  for (i = 0; i < ANN_MAX_TREES; i++) {
    if ((state->roots[i] != 0) != (planted && i < trees)) return 0;
  }
  return 1;
}

int ann_state_decode(const uint8_t *p, int64_t size, int trees, AnnState *out_state) {
  int i;
  if (!p || size != ANN_STATE_SIZE) return ANN_CORRUPT;
  out_state->rows = (int64_t)ann_get64(p);
  out_state->placed = (int64_t)ann_get64(p + 8);
  out_state->last_page = (int64_t)ann_get64(p + 16);
  out_state->leaf_pages = (int64_t)ann_get64(p + 24);
  out_state->directory_pages = (int64_t)ann_get64(p + 32);
  out_state->changes = (int64_t)ann_get64(p + 40);
  out_state->calibrated_rows = (int64_t)ann_get64(p + 48);
  out_state->planted_rows = (int64_t)ann_get64(p + 56);
  for (i = 0; i < ANN_MAX_TREES; i++) out_state->roots[i] = ann_get32(p + 64 + 4 * i);
  out_state->pages_sum = ann_get64(p + 96);
  out_state->history = ann_get64(p + 104);
  out_state->dirty = 0;
  if (makes_sense(out_state, trees)) return ANN_OK;
  memset(out_state, 0, sizeof *out_state); /* nobody is to compute with them */
  return ANN_CORRUPT;
}
