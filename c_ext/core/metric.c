/* metric.c -- see metric.h. */
#include "core/metric.h"

#include <ctype.h>
#include <math.h>

#include "core/kernel.h"

static const struct {
  const char *name;
  int metric;
} names[] = {{"cosine", ANN_COSINE}, {"l2", ANN_L2}, {"dot", ANN_DOT}, {"euclidean", ANN_L2}};

int ann_metric_named(const char *name) {
  char lower[16];
  size_t i;
  for (i = 0; name[i] && i + 1 < sizeof lower; i++)
    lower[i] = (char)tolower((unsigned char)name[i]);
  lower[i] = 0;
  if (name[i]) return 0;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(lower, names[i].name) == 0) return names[i].metric;
  }
  return 0;
}

const char *ann_metric_name(int metric) {
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].metric == metric) return names[i].name;
  }
  return "unknown";
}

int ann_metric_is_zero(const float *vector, int64_t dimensions) {
  int64_t i;
  for (i = 0; i < dimensions; i++) {
    if (vector[i] != 0.0f) return 0;
  }
  return 1;
}

/* The same sums in double, one after the other: only for numbers too large or too
** small for a float. */
static double wide_dot(const float *a, const float *b, int64_t n) {
  double sum = 0;
  int64_t i;
  for (i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static double wide_l2(const float *a, const float *b, int64_t n) {
  double sum = 0;
  int64_t i;
  for (i = 0; i < n; i++) {
    double t = (double)a[i] - (double)b[i];
    sum += t * t;
  }
  return sum;
}

/* Squared norms and sums between these lose nothing that matters to float range; 0 may be what
** fell below it. */
static int in_range(double x) { return x > 1e-30 && x < 1e30; }

static double cosine(const AnnOrigin *origin, const float *b, double bb) {
  const AnnKernels *k = ann_kernels();
  const float *a = origin->vector;
  int64_t n = origin->dimensions;
  double aa = origin->norm, ab;
  if (in_range(aa) && in_range(bb)) {
    ab = k->dot(a, b, (size_t)n);
  } else {
    aa = wide_dot(a, a, n);
    bb = wide_dot(b, b, n);
    ab = wide_dot(a, b, n);
  }
  if (aa == 0 || bb == 0) return 1.0;
  /* Equal vectors give ab == aa == bb and so exactly 0. */
  ab /= aa == bb ? aa : sqrt(aa) * sqrt(bb);
  if (ab > 1) ab = 1;
  if (ab < -1) ab = -1;
  return 1.0 - ab;
}

void ann_origin_init(AnnOrigin *origin, int metric, const float *vector, int64_t dimensions) {
  origin->metric = metric;
  origin->vector = vector;
  origin->dimensions = dimensions;
  origin->norm =
      metric == ANN_COSINE ? (double)ann_kernels()->dot(vector, vector, (size_t)dimensions) : 0;
}

double ann_origin_distance(const AnnOrigin *origin, const float *other) {
  double norm = 0;
  if (origin->metric == ANN_COSINE) {
    norm = (double)ann_kernels()->dot(other, other, (size_t)origin->dimensions);
  }
  return ann_origin_distance_of(origin, other, norm);
}

double ann_origin_distance_of(const AnnOrigin *origin, const float *other, double norm) {
  const float *vector = origin->vector;
  size_t n = (size_t)origin->dimensions;
  double sum;
  if (origin->metric == ANN_COSINE) return cosine(origin, other, norm);
  if (origin->metric == ANN_L2) {
    sum = ann_kernels()->l2(vector, other, n);
    return sqrt(in_range(sum) ? sum : wide_l2(vector, other, origin->dimensions));
  }
  sum = ann_kernels()->dot(vector, other, n);
  if (!in_range(fabs(sum))) sum = wide_dot(vector, other, origin->dimensions);
  return sum == 0 ? 0.0 : -sum;
}

double ann_metric_distance(int metric, const float *a, const float *b, int64_t dimensions) {
  AnnOrigin origin;
  ann_origin_init(&origin, metric, a, dimensions);
  return ann_origin_distance(&origin, b);
}
