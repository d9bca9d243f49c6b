/* space.c -- see space.h. */
#include "core/space.h"

#include <math.h>

#include "core/kernel.h"

/* ---- distances of float32 ---- */

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

static double float32_cosine(const AnnOrigin *origin, const void *other, double bb) {
  const float *a = origin->vector, *b = other;
  int64_t n = origin->space->dimensions;
  double aa = origin->norm, ab;
  if (in_range(aa) && in_range(bb)) {
    ab = ann_kernels()->dot(a, b, (size_t)n);
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

static double float32_l2(const AnnOrigin *origin, const void *other, double norm) {
  int64_t n = origin->space->dimensions;
  double sum = ann_kernels()->l2(origin->vector, other, (size_t)n);
  (void)norm;
  return sqrt(in_range(sum) ? sum : wide_l2(origin->vector, other, n));
}

static double float32_dot(const AnnOrigin *origin, const void *other, double norm) {
  int64_t n = origin->space->dimensions;
  double sum = ann_kernels()->dot(origin->vector, other, (size_t)n);
  (void)norm;
  if (!in_range(fabs(sum))) sum = wide_dot(origin->vector, other, n);
  return sum == 0 ? 0.0 : -sum;
}

/* ---- points ---- */

/* The length of a vector whose squares may leave the range of a float. */
static float safe_length(const float *x, int64_t n) {
  float norm = ann_kernels()->dot(x, x, (size_t)n);
  if (norm > 1e-30f && norm < 1e30f) return sqrtf(norm);
  return (float)sqrt(wide_dot(x, x, n));
}

static const float *as_it_is(const AnnSpace *space, const void *vector, float *scratch) {
  return space->element->floats(vector, space->dimensions, scratch);
}

static const float *unit(const AnnSpace *space, const void *vector, float *scratch) {
  const float *x = as_it_is(space, vector, scratch);
  int64_t n = space->dimensions, i;
  float length = safe_length(x, n);
  for (i = 0; i < n; i++) scratch[i] = x[i] / length;
  return scratch;
}

/* ---- bounds ---- */

/* <q, x> / (|q| |x|) >= 1 - worst */
static void cosine_bound_query(AnnBound *bound, double worst) {
  bound->factor = (1 - worst) * sqrt(bound->norm);
}

static void cosine_bound_row(AnnBound *bound) { bound->factor = sqrt(bound->norm); }

/* |q|^2 + |x|^2 - 2 <q, x> <= worst^2 */
static void l2_bound_query(AnnBound *bound, double worst) {
  bound->offset += (bound->norm - worst * worst) / 2;
}

static void l2_bound_row(AnnBound *bound) { bound->offset += bound->norm / 2; }

/* -<q, x> <= worst */
static void dot_bound_query(AnnBound *bound, double worst) { bound->offset -= worst; }

static void dot_bound_row(AnnBound *bound) { (void)bound; }

/* ---- the table ---- */

static const AnnMetric metrics[] = {
  {
    .name = "cosine",
    .elements = ANN_FLOAT32,
    .geometry = ANN_DISTANCE,
    .uses_norm = 1,
    .zero_is_flat = 1,
    .point = unit,
    .distance = float32_cosine,
    .bound_query = cosine_bound_query,
    .bound_row = cosine_bound_row,
  },
  {
    .name = "l2",
    .alias = "euclidean",
    .elements = ANN_FLOAT32,
    .geometry = ANN_DISTANCE,
    .point = as_it_is,
    .distance = float32_l2,
    .bound_query = l2_bound_query,
    .bound_row = l2_bound_row,
  },
  {
    .name = "dot",
    .elements = ANN_FLOAT32,
    .geometry = ANN_PRODUCT,
    .point = as_it_is,
    .distance = float32_dot,
    .bound_query = dot_bound_query,
    .bound_row = dot_bound_row,
  },
};

#define N_METRICS ((int)(sizeof metrics / sizeof *metrics))

/* Does row i go with the type?  With none given: is it the first of its name? */
static int goes_with(const AnnElement *element, int i) {
  int j;
  if (element) return (metrics[i].elements & element->type) != 0;
  for (j = 0; j < i && strcmp(metrics[j].name, metrics[i].name) != 0; j++) {}
  return j == i;
}

/* The next such row from number i on; N_METRICS after the last. */
static int next_for(const AnnElement *element, int i) {
  while (i < N_METRICS && !goes_with(element, i)) i++;
  return i;
}

const AnnMetric *ann_metric_default(const AnnElement *element) {
  return &metrics[next_for(element, 0)];
}

const AnnMetric *ann_metric_named(const AnnElement *element, const char *name) {
  int i;
  for (i = next_for(element, 0); i < N_METRICS; i = next_for(element, i + 1)) {
    if (ann_name_is(name, metrics[i].name) || ann_name_is(name, metrics[i].alias)) {
      return &metrics[i];
    }
  }
  return NULL;
}

const char *ann_metric_names(const AnnElement *element, char *out_names) {
  int n = 0, at = 0, i;
  for (i = next_for(element, 0); i < N_METRICS; i = next_for(element, i + 1)) n++;
  for (i = next_for(element, 0); i < N_METRICS; i = next_for(element, i + 1)) {
    ann_names_add(out_names, at++, n, metrics[i].name, metrics[i].alias);
  }
  return out_names;
}

const AnnElement *ann_metric_element(const AnnMetric *metric) {
  return ann_element_among(metric->elements);
}

/* ---- a space ---- */

void ann_space_init(AnnSpace *space, const AnnElement *element, const AnnMetric *metric,
                    int64_t dimensions) {
  space->element = element;
  space->metric = metric;
  space->dimensions = dimensions;
  space->blob_size = ann_element_size(element, dimensions);
  space->geometry = metric->geometry;
}

int ann_space_equal(const AnnSpace *a, const AnnSpace *b) {
  return a->element == b->element && a->metric == b->metric && a->dimensions == b->dimensions;
}

int ann_space_is_own_nearest(const AnnSpace *space) { return space->geometry == ANN_DISTANCE; }

int ann_space_from_blobs(const AnnSpace *space, const void *blobs, int64_t n_bytes, int64_t n,
                         void *out_vectors) {
  char message[ANN_VECTOR_MESSAGE];
  int64_t size = space->blob_size, i;
  int rc = n_bytes == n * size ? ANN_OK : ANN_ERROR;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    rc = ann_element_from_blob(space->element, (const uint8_t *)blobs + i * size, size,
                               space->dimensions, (uint8_t *)out_vectors + i * size, message);
  }
  return rc;
}

void ann_space_to_blobs(const AnnSpace *space, const void *vectors, int64_t n,
                        void *out_blobs) {
  int64_t size = space->blob_size, i;
  for (i = 0; i < n; i++) {
    ann_element_to_blob(space->element, (const uint8_t *)vectors + i * size, space->dimensions,
                        (uint8_t *)out_blobs + i * size);
  }
}

double ann_space_norm(const AnnSpace *space, const void *vector) {
  return space->metric->uses_norm ? space->element->norm(vector, space->dimensions) : 0;
}

int ann_space_is_flat(const AnnSpace *space, const void *vector) {
  return space->metric->zero_is_flat && space->element->is_zero(vector, space->dimensions);
}

void ann_origin_init(AnnOrigin *origin, const AnnSpace *space, const void *vector) {
  origin->space = space;
  origin->vector = vector;
  origin->norm = ann_space_norm(space, vector);
}

double ann_origin_distance(const AnnOrigin *origin, const void *other) {
  return ann_origin_distance_of(origin, other, ann_space_norm(origin->space, other));
}

double ann_origin_distance_of(const AnnOrigin *origin, const void *other, double norm) {
  return origin->space->metric->distance(origin, other, norm);
}

double ann_space_distance(const AnnSpace *space, const void *a, const void *b) {
  AnnOrigin origin;
  ann_origin_init(&origin, space, a);
  return ann_origin_distance(&origin, b);
}

void ann_space_point(const AnnSpace *space, const AnnRotation *rotation, const void *vector,
                     float *scratch, float *out_point) {
  if (ann_space_is_flat(space, vector)) {
    /* As far from every other vector.  Left at the origin it would be nearer to all queries
    ** than most unit vectors; along one fixed random axis it is, like most, at a right angle to
    ** them. */
    memset(out_point, 0, (size_t)rotation->length * sizeof *out_point);
    out_point[0] = 1;
  } else {
    ann_rotation_apply(rotation, space->metric->point(space, vector, scratch), out_point);
  }
}

/* ---- ruling pairs out ---- */

/* A sum of n products errs by less than n x this, of the sum of their magnitudes: 2^-24. */
#define ROUNDING 5.97e-8
/* Of squared lengths; the products that smaller ones are sums of may fall below a float, and
** err by more. */
#define SMALLEST_NORM 1e-30

int64_t ann_space_stride(const AnnSpace *space) {
  return (space->dimensions + ANN_LANES - 1) / ANN_LANES * ANN_LANES;
}

int ann_space_is_floats(const AnnSpace *space) { return space->element->type == ANN_FLOAT32; }

void ann_space_float_row(const AnnSpace *space, const void *vector, float *out_row) {
  const float *x = space->element->floats(vector, space->dimensions, out_row);
  if (x != out_row) memcpy(out_row, x, (size_t)space->dimensions * sizeof *x);
}

/* What the product, a sum of floats, errs by at most, for one of its factors; twice, since
** the norms err as well. */
static double error_of(const AnnSpace *space, double norm) {
  if (!(norm > SMALLEST_NORM)) return INFINITY;
  return 2 * ROUNDING * (double)ann_space_stride(space) * norm;
}

void ann_bound_init(AnnBound *bound, const AnnSpace *space, const void *vector) {
  bound->norm = space->element->norm(vector, space->dimensions);
}

void ann_bound_as_query(AnnBound *bound, const AnnSpace *space, double worst) {
  bound->factor = 0;
  bound->offset = -error_of(space, bound->norm);
  space->metric->bound_query(bound, worst);
}

void ann_bound_as_row(AnnBound *bound, const AnnSpace *space) {
  bound->factor = 0;
  bound->offset = -error_of(space, bound->norm);
  space->metric->bound_row(bound);
}
