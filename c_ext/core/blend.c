/* blend.c -- see blend.h. */
#include "core/blend.h"

#include <math.h>
#include <stdio.h>

int ann_blend_init(AnnBlend *blend, const AnnSpace *space) {
  memset(blend, 0, sizeof *blend);
  blend->space = space;
  blend->sums = ann_alloc_zero((uint64_t)space->dimensions, sizeof *blend->sums);
  blend->scratch = ann_alloc_array((uint64_t)space->dimensions, sizeof *blend->scratch);
  return blend->sums && blend->scratch ? ANN_OK : ANN_NOMEM;
}

void ann_blend_add(AnnBlend *blend, const void *vector, double weight) {
  const AnnSpace *space = blend->space;
  const float *x;
  int64_t n = space->dimensions, i;
  blend->weights += weight;
  blend->magnitudes += fabs(weight);
  blend->n++;
  /* Without a direction it says nothing of where to look. */
  if (space->metric->zero_is_flat && ann_element_is_zero(space->element, vector, n)) return;
  x = space->element->floats(vector, n, blend->scratch);
  x = space->metric->point(x, n, blend->scratch);
  for (i = 0; i < n; i++) blend->sums[i] += weight * (double)x[i];
}

/* Do lengths count? */
static int is_of_lengths(const AnnSpace *space) {
  return space->geometry == ANN_DISTANCE && !space->metric->zero_is_flat;
}

static int refuse(const AnnBlend *blend, const char *expected, char *out_message) {
  snprintf(out_message, ANN_VECTOR_MESSAGE, "expected %s, got a sum of %g", expected,
           blend->weights);
  return ANN_ERROR;
}

int ann_blend_finish(AnnBlend *blend, void *out_query, char *out_message) {
  const AnnSpace *space = blend->space;
  const AnnElement *floats = ann_element_default();
  int64_t n = space->dimensions, i;
  double by = is_of_lengths(space) ? blend->weights : blend->magnitudes;
  if (!(blend->magnitudes > 0)) return refuse(blend, "a weight other than 0", out_message);
  if (!(by > 0)) return refuse(blend, "weights whose sum is above 0", out_message);
  for (i = 0; i < n; i++) blend->scratch[i] = (float)(blend->sums[i] / by);
  ann_element_to_blob(floats, blend->scratch, n, blend->scratch);
  return ann_query_from_blob(space->element, blend->scratch, ann_element_size(floats, n), n,
                             out_query, out_message);
}

void ann_blend_clear(AnnBlend *blend) {
  ann_free(blend->sums);
  ann_free(blend->scratch);
  memset(blend, 0, sizeof *blend);
}
