/* metric.c -- see metric.h.
**
**   metric    distance reported            as points of the forest
**   cosine    1 - <a,b> / (|a| |b|)        unit vectors, squared distance (= 2 x cosine distance)
**   angular   sqrt(2 x cosine distance)    as cosine: the length between the unit vectors
**   l2        sqrt(sum (a-b)^2)            the vectors, squared distance
**   l1        sum |a-b|                    the vectors, squared distance: nearly the same order
**   dot       -<a,b>                       the vectors, negative product
**   hamming   bits that differ             1 and -1, squared distance (= 4 x hamming)
**   jaccard   1 - |a and b| / |a or b|     unit vectors, squared distance: nearly the same order
**
** A zero vector has cosine 0 with anything; two empty sets are equal.
*/
#include "core/metric.h"

#include <math.h>

#include "core/kernel.h"

/* ---- sums ---- */

/* The same sums in double, one after the other: only for numbers too large or too
** small for a float. */
static double wide_dot(const AnnOrigin *origin, const void *row) {
  const float *q = origin->query;
  double sum = 0;
  int64_t i;
  for (i = 0; i < origin->n; i++) { sum += (double)q[i] * (double)origin->element->at(row, i); }
  return sum;
}

static double wide_l2(const AnnOrigin *origin, const void *row) {
  const float *q = origin->query;
  double sum = 0;
  int64_t i;
  for (i = 0; i < origin->n; i++) {
    double t = (double)q[i] - (double)origin->element->at(row, i);
    sum += t * t;
  }
  return sum;
}

static double wide_l1(const AnnOrigin *origin, const void *row) {
  const float *q = origin->query;
  double sum = 0;
  int64_t i;
  for (i = 0; i < origin->n; i++) {
    sum += fabs((double)q[i] - (double)origin->element->at(row, i));
  }
  return sum;
}

static double wide_norm(const AnnElement *element, const void *vector, int64_t n) {
  double sum = 0;
  int64_t i;
  for (i = 0; i < n; i++)
    sum += (double)element->at(vector, i) * (double)element->at(vector, i);
  return sum;
}

/* Squared norms and sums between these lose nothing that matters to float range; 0 may be what
** fell below it. */
static int in_range(double x) { return x > 1e-30 && x < 1e30; }

/* <query, row>; as a sum of floats, where that is in range. */
static double dot_of(const AnnOrigin *origin, const void *row) {
  size_t n = (size_t)origin->n;
  if (origin->whole) return (double)ann_kernels()->sums->int8_dot(origin->whole, row, n);
  return (double)origin->sums->dot(origin->query, row, n);
}

static double l2_of(const AnnOrigin *origin, const void *row) {
  size_t n = (size_t)origin->n;
  double sum;
  if (origin->whole) return (double)ann_kernels()->sums->int8_l2(origin->whole, row, n);
  sum = (double)origin->sums->l2(origin->query, row, n);
  return in_range(sum) ? sum : wide_l2(origin, row);
}

/* ---- distances ---- */

/* The cosine of two vectors that are not 0, from their product and squared lengths; of equal
** ones, whose three are the same number, exactly 1. */
static double cosine_from(double aa, double bb, double ab) {
  ab /= aa == bb ? aa : sqrt(aa) * sqrt(bb);
  return ab > 1 ? 1 : ab < -1 ? -1 : ab;
}

static double cosine(const AnnOrigin *origin, const void *row, double bb) {
  double aa = origin->norm, ab;
  if (in_range(aa) && in_range(bb)) {
    ab = dot_of(origin, row);
  } else {
    aa = wide_norm(ann_query_element(origin->element), origin->query, origin->n);
    bb = wide_norm(origin->element, row, origin->n);
    ab = wide_dot(origin, row);
  }
  return aa == 0 || bb == 0 ? 1.0 : 1.0 - cosine_from(aa, bb, ab);
}

static double angular(const AnnOrigin *origin, const void *row, double norm) {
  return sqrt(2 * cosine(origin, row, norm));
}

static double l2(const AnnOrigin *origin, const void *row, double norm) {
  (void)norm;
  return sqrt(l2_of(origin, row));
}

/* Differences, unlike products, lose nothing below the range of a float. */
static double l1(const AnnOrigin *origin, const void *row, double norm) {
  size_t n = (size_t)origin->n;
  float sum;
  (void)norm;
  if (origin->whole) return (double)ann_kernels()->sums->int8_l1(origin->whole, row, n);
  sum = origin->sums->l1(origin->query, row, n);
  return sum < INFINITY ? (double)sum : wide_l1(origin, row);
}

static double dot(const AnnOrigin *origin, const void *row, double norm) {
  double sum = dot_of(origin, row);
  (void)norm;
  if (!origin->whole && !in_range(fabs(sum))) sum = wide_dot(origin, row);
  return sum == 0 ? 0.0 : -sum;
}

static double hamming(const AnnOrigin *origin, const void *row, double norm) {
  (void)norm;
  return (double)ann_kernels()->sums->differing(origin->query, row, (size_t)origin->row_bytes);
}

static double jaccard(const AnnOrigin *origin, const void *row, double norm) {
  double common =
      (double)ann_kernels()->sums->common(origin->query, row, (size_t)origin->row_bytes);
  double either = origin->norm + norm - common;
  return either == 0 ? 0.0 : 1.0 - common / either;
}

/* ---- points ---- */

static const float *as_it_is(const float *x, int64_t n, float *scratch) {
  (void)n, (void)scratch;
  return x;
}

/* The length of a vector whose squares may leave the range of a float. */
static float safe_length(const float *x, int64_t n) {
  float norm = ann_kernels()->dot(x, x, (size_t)n);
  if (norm > 1e-30f && norm < 1e30f) return sqrtf(norm);
  return (float)sqrt(wide_norm(ann_element_default(), x, n));
}

static const float *unit(const float *x, int64_t n, float *scratch) {
  float length = safe_length(x, n);
  int64_t i;
  for (i = 0; i < n; i++) scratch[i] = x[i] / length;
  return scratch;
}

/* Of bits: the squared distance is 4 times their number that differ. */
static const float *of_signs(const float *x, int64_t n, float *scratch) {
  int64_t i;
  for (i = 0; i < n; i++) scratch[i] = 2 * x[i] - 1;
  return scratch;
}

/* ---- bounds ---- */

/* <q, x> / (|q| |x|) >= 1 - worst */
static void cosine_bound_query(AnnBound *bound, double worst) {
  bound->factor = (1 - worst) * sqrt(bound->norm);
}

static void angular_bound_query(AnnBound *bound, double worst) {
  cosine_bound_query(bound, worst * worst / 2);
}

static void cosine_bound_row(AnnBound *bound) { bound->factor = sqrt(bound->norm); }

/* |q|^2 + |x|^2 - 2 <q, x> <= worst^2
**
** Of l1 as well, which is never below l2: the square of sum |t| has all the t^2, and more.  Where
** this rules a pair out, worst^2 is below |q - x|^2 <= 2 |q|^2 + 2 |x|^2, so that what l1's sum
** errs by is no more of them than what l2's does. */
static void l2_bound_query(AnnBound *bound, double worst) {
  bound->offset += (bound->norm - worst * worst) / 2;
}

static void l2_bound_row(AnnBound *bound) { bound->offset += bound->norm / 2; }

/* -<q, x> <= worst */
static void dot_bound_query(AnnBound *bound, double worst) { bound->offset -= worst; }

static void dot_bound_row(AnnBound *bound) { (void)bound; }

/* ---- the table ---- */

#define ANY_NUMBERS (ANN_FLOAT32 | ANN_FLOAT16 | ANN_BFLOAT16 | ANN_INT8)

static const AnnMetric metrics[] = {
  {
    .named = {"cosine", NULL, ANY_NUMBERS},
    .geometry = ANN_DISTANCE,
    .uses_norm = 1,
    .zero_is_flat = 1,
    .point = unit,
    .distance = cosine,
    .bound_query = cosine_bound_query,
    .bound_row = cosine_bound_row,
  },
  {
    .named = {"angular", NULL, ANY_NUMBERS},
    .geometry = ANN_DISTANCE,
    .uses_norm = 1,
    .zero_is_flat = 1,
    .point = unit,
    .distance = angular,
    .bound_query = angular_bound_query,
    .bound_row = cosine_bound_row,
  },
  {
    .named = {"l2", "euclidean", ANY_NUMBERS},
    .geometry = ANN_DISTANCE,
    .point = as_it_is,
    .distance = l2,
    .bound_query = l2_bound_query,
    .bound_row = l2_bound_row,
  },
  {
    .named = {"l1", "manhattan", ANY_NUMBERS},
    .geometry = ANN_DISTANCE,
    .point = as_it_is,
    .distance = l1,
    .bound_query = l2_bound_query,
    .bound_row = l2_bound_row,
  },
  {
    .named = {"dot", NULL, ANY_NUMBERS},
    .geometry = ANN_PRODUCT,
    .point = as_it_is,
    .distance = dot,
    .bound_query = dot_bound_query,
    .bound_row = dot_bound_row,
  },
  {
    .named = {"hamming", NULL, ANN_BIT},
    .geometry = ANN_DISTANCE,
    .point = of_signs,
    .distance = hamming,
  },
  {
    .named = {"jaccard", NULL, ANN_BIT},
    .geometry = ANN_DISTANCE,
    .uses_norm = 1,
    .zero_is_flat = 1,
    .point = unit,
    .distance = jaccard,
  },
};

static const AnnNames names = {metrics, (int)(sizeof metrics / sizeof *metrics),
                               sizeof *metrics};

static int types_of(const AnnElement *element) {
  return element ? element->named.types : ANN_ANY_TYPE;
}

const AnnMetric *ann_metric_default(const AnnElement *element) {
  return ann_names_find(&names, types_of(element), NULL);
}

const AnnMetric *ann_metric_named(const AnnElement *element, const char *name) {
  return ann_names_find(&names, types_of(element), name);
}

const char *ann_metric_names(const AnnElement *element, char *out_names) {
  return ann_names_list(&names, types_of(element), 1, out_names);
}

const AnnElement *ann_metric_element(const AnnMetric *metric) {
  return ann_element_among(metric->named.types);
}
