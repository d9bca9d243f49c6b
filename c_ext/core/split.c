/* split.c -- see split.h. */
#include "core/split.h"

#include "core/kernel.h"
#include "core/sort.h"

#define SAMPLE 1024 /* members 2-means looks at; as many, and 8 rounds: a choice */
#define ROUNDS 8

static void plane_between(AnnPlane *plane) {
  int64_t length = plane->length, i;
  float *a = plane->planes, *b = a + length, *normal = b + length;
  size_t n = (size_t)length;
  for (i = 0; i < length; i++) normal[i] = b[i] - a[i];
  plane->offset = (ann_kernels()->dot(b, b, n) - ann_kernels()->dot(a, a, n)) * 0.5f;
}

static float projection(const AnnPlane *plane, const float *x) {
  return ann_kernels()->dot(x, plane->planes + 2 * plane->length, (size_t)plane->length) -
         plane->offset;
}

/* One round of 2-means over the sample; 0 when a side came out empty. */
static int improve(AnnPlane *plane, const float *const *sample, int64_t n) {
  int64_t length = plane->length, i, c, count[2] = {0, 0};
  float *sums = plane->planes + 3 * length;
  memset(sums, 0, (size_t)(2 * length) * sizeof *sums);
  for (i = 0; i < n; i++) {
    int side = projection(plane, sample[i]) >= 0;
    float *sum = sums + side * length;
    const float *x = sample[i];
    count[side]++;
    for (c = 0; c < length; c++) sum[c] += x[c];
  }
  if (!count[0] || !count[1]) return 0;
  for (i = 0; i < 2; i++) {
    float inverse = 1.0f / (float)count[i];
    for (c = 0; c < length; c++) {
      plane->planes[i * length + c] = sums[i * length + c] * inverse;
    }
  }
  plane_between(plane);
  return 1;
}

void ann_split_choose(const float *const *points, int64_t n, AnnRng *rng, AnnPlane *plane) {
  const float *sample[SAMPLE];
  int64_t n_sample = n < SAMPLE ? n : SAMPLE, first, second, i;
  int round;
  for (i = 0; i < n_sample; i++) {
    sample[i] = points[n == n_sample ? i : (int64_t)ann_rng_below(rng, (uint64_t)n)];
  }
  first = (int64_t)ann_rng_below(rng, (uint64_t)n);
  second = (int64_t)ann_rng_below(rng, (uint64_t)(n - 1));
  if (second >= first) second++;
  memcpy(plane->planes, points[first], (size_t)plane->length * sizeof(float));
  memcpy(plane->planes + plane->length, points[second], (size_t)plane->length * sizeof(float));
  plane_between(plane);
  for (round = 0; round < ROUNDS; round++) {
    if (!improve(plane, sample, n_sample)) break;
  }
}

void ann_split_project(const float *const *points, int64_t first, int64_t last,
                       const AnnPlane *plane, AnnRanked *order) {
  int64_t i;
  for (i = first; i < last; i++) {
    float at = projection(plane, points[i]);
    order[i].key = at == at ? at : 0;
    order[i].id = i;
  }
}

int ann_split_sides(AnnRanked *order, int64_t n, int64_t minimum, const AnnPoll *poll,
                    uint8_t *out_side) {
  int64_t i, cut = 0;
  int rc;
  for (i = 0; i < n; i++) cut += order[i].key < 0;
  if (minimum > n / 2) minimum = n / 2;
  if (cut >= minimum && cut <= n - minimum) {
    for (i = 0; i < n; i++) out_side[i] = order[i].key >= 0;
    return ANN_OK;
  }
  cut = cut < minimum ? minimum : n - minimum;
  rc = ann_sort(order, n, sizeof *order, ann_ranked_compare, poll);
  if (rc != ANN_OK) return rc;
  if (order[0].key == order[n - 1].key) cut = n / 2; /* all are equal: halve them */
  for (i = 0; i < n; i++) out_side[order[i].id] = i >= cut;
  return ANN_OK;
}

int ann_split(const float *const *points, int64_t n, int64_t length, int64_t minimum,
              AnnRng *rng, uint8_t *out_side) {
  AnnRanked *order = ann_alloc_array((uint64_t)n, sizeof *order); /* owned */
  AnnPlane plane = {NULL, 0, length};
  int rc = ANN_NOMEM;
  plane.planes =
      ann_alloc_array((uint64_t)(ANN_SPLIT_PLANES * length), sizeof(float)); /* owned */
  if (order && plane.planes) {
    ann_split_choose(points, n, rng, &plane);
    ann_split_project(points, 0, n, &plane, order);
    rc = ann_split_sides(order, n, minimum, NULL, out_side);
  }
  ann_free(order);
  ann_free(plane.planes);
  return rc;
}

int ann_split_mean(const float *const *points, const uint8_t *side_of, int side, int64_t n,
                   int64_t length, float *out_mean, float *out_spread) {
  double *sum = ann_alloc_zero((uint64_t)length, sizeof *sum), spread = 0;
  int64_t i, c, count = 0;
  if (!sum) return ANN_NOMEM;
  for (i = 0; i < n; i++) {
    const float *x = points[i];
    if (side >= 0 && side_of[i] != side) continue;
    count++;
    for (c = 0; c < length; c++) sum[c] += x[c];
  }
  for (c = 0; c < length; c++) out_mean[c] = (float)(count ? sum[c] / (double)count : 0);
  for (i = 0; i < n; i++) {
    if (side >= 0 && side_of[i] != side) continue;
    spread += ann_kernels()->l2(points[i], out_mean, (size_t)length);
  }
  *out_spread = (float)(count ? spread / (double)count : 0);
  ann_free(sum);
  return ANN_OK;
}
