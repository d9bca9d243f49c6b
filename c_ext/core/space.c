/* space.c -- see space.h. */
#include "core/space.h"

#include <math.h>

#include "core/kernel.h"

/* ---- a space ---- */

void ann_space_init(AnnSpace *space, const AnnElement *element, const AnnMetric *metric,
                    int64_t dimensions) {
  space->element = element;
  space->metric = metric;
  space->dimensions = dimensions;
  space->blob_size = ann_element_size(element, dimensions);
  space->query_size = ann_query_size(element, dimensions);
  space->geometry = metric->geometry;
}

int ann_space_equal(const AnnSpace *a, const AnnSpace *b) {
  return a->element == b->element && a->metric == b->metric && a->dimensions == b->dimensions;
}

int ann_space_is_own_nearest(const AnnSpace *space) { return space->geometry == ANN_DISTANCE; }

void ann_space_to_blob(const AnnSpace *space, const void *vector, void *out_blob) {
  ann_element_to_blob(space->element, vector, space->dimensions, out_blob);
}

double ann_space_norm(const AnnSpace *space, const void *vector) {
  return space->metric->uses_norm ? space->element->norm(vector, space->dimensions) : 0;
}

/* ---- queries ---- */

static const AnnElement *query_element(const AnnSpace *space) {
  return ann_query_element(space->element);
}

void ann_space_as_query(const AnnSpace *space, const void *vector, void *out_query) {
  ann_query_from_vector(space->element, vector, space->dimensions, out_query);
}

int ann_space_is_query_of(const AnnSpace *space, const void *query, const void *vector) {
  return ann_query_is_vector(space->element, query, vector, space->dimensions);
}

int64_t ann_space_query_blob_size(const AnnSpace *space) {
  return ann_element_size(query_element(space), space->dimensions);
}

int ann_space_queries_from_blobs(const AnnSpace *space, const void *blobs, int64_t n_bytes,
                                 int64_t n, void *out_queries) {
  char message[ANN_VECTOR_MESSAGE];
  int64_t size = ann_space_query_blob_size(space), i;
  int rc = n_bytes == n * size ? ANN_OK : ANN_ERROR;
  for (i = 0; i < n && rc == ANN_OK; i++) {
    rc = ann_query_from_blob(space->element, (const uint8_t *)blobs + i * size, size,
                             space->dimensions, (uint8_t *)out_queries + i * space->query_size,
                             message);
  }
  return rc;
}

void ann_space_queries_to_blobs(const AnnSpace *space, const void *queries, int64_t n,
                                void *out_blobs) {
  int64_t size = ann_space_query_blob_size(space), i;
  for (i = 0; i < n; i++) {
    ann_element_to_blob(query_element(space), (const uint8_t *)queries + i * space->query_size,
                        space->dimensions, (uint8_t *)out_blobs + i * size);
  }
}

int ann_space_is_flat(const AnnSpace *space, const void *query) {
  return space->metric->zero_is_flat &&
         ann_element_is_zero(query_element(space), query, space->dimensions);
}

void ann_origin_init(AnnOrigin *origin, const AnnSpace *space, const void *query) {
  int row_type = space->element->row_type;
  origin->metric = space->metric;
  origin->element = space->element;
  origin->n = space->dimensions;
  origin->row_bytes = space->blob_size;
  origin->query = query;
  origin->sums = row_type < 0 ? NULL : &ann_kernels()->sums->of[row_type];
  origin->whole = ann_query_whole(space->element, query, space->dimensions);
  origin->norm = 0;
  if (!space->metric->uses_norm) return;
  /* Whole numbers have the length of the row that they are, exactly. */
  origin->norm = origin->whole ? space->element->norm(origin->whole, space->dimensions)
                               : query_element(space)->norm(query, space->dimensions);
}

double ann_origin_distance(const AnnOrigin *origin, const void *row) {
  double norm = origin->metric->uses_norm ? origin->element->norm(row, origin->n) : 0;
  return ann_origin_distance_of(origin, row, norm);
}

double ann_origin_distance_of(const AnnOrigin *origin, const void *row, double norm) {
  return origin->metric->distance(origin, row, norm);
}

/* ---- points of a space ---- */

/* vector: of this type, a row's or a query's. */
static void set_point(const AnnSpace *space, const AnnElement *element,
                      const AnnRotation *rotation, const void *vector, float *scratch,
                      float *out_point) {
  int64_t n = space->dimensions;
  if (space->metric->zero_is_flat && ann_element_is_zero(element, vector, n)) {
    /* As far from every other vector.  Left at the origin it would be nearer to all queries
    ** than most unit vectors; along one fixed random axis it is, like most, at a right angle to
    ** them. */
    memset(out_point, 0, (size_t)rotation->length * sizeof *out_point);
    out_point[0] = 1;
  } else {
    const float *x = element->floats(vector, n, scratch);
    ann_rotation_apply(rotation, space->metric->point(x, n, scratch), out_point);
  }
}

void ann_space_point(const AnnSpace *space, const AnnRotation *rotation, const void *vector,
                     float *scratch, float *out_point) {
  set_point(space, space->element, rotation, vector, scratch, out_point);
}

void ann_space_query_point(const AnnSpace *space, const AnnRotation *rotation,
                           const void *query, float *scratch, float *out_point) {
  set_point(space, query_element(space), rotation, query, scratch, out_point);
}

/* ---- ruling pairs out ---- */

/* A sum of n products errs by less than n x this, of the sum of their magnitudes: 2^-24. */
#define ROUNDING 5.97e-8
/* Of squared lengths; the products that smaller ones are sums of may fall below a float, and
** err by more. */
#define SMALLEST_NORM 1e-30

int ann_space_has_bounds(const AnnSpace *space) { return space->metric->bound_query != NULL; }

int64_t ann_space_stride(const AnnSpace *space) {
  return (space->dimensions + ANN_LANES - 1) / ANN_LANES * ANN_LANES;
}

int ann_space_is_floats(const AnnSpace *space) {
  return space->element->named.types == ANN_FLOAT32;
}

static void set_row(const AnnElement *element, const void *vector, int64_t n, float *out_row) {
  const float *x = element->floats(vector, n, out_row);
  if (x != out_row) memcpy(out_row, x, (size_t)n * sizeof *x);
}

void ann_space_float_row(const AnnSpace *space, const void *vector, float *out_row) {
  set_row(space->element, vector, space->dimensions, out_row);
}

void ann_space_query_row(const AnnSpace *space, const void *query, float *out_row) {
  set_row(query_element(space), query, space->dimensions, out_row);
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

void ann_bound_init_query(AnnBound *bound, const AnnSpace *space, const void *query) {
  bound->norm = query_element(space)->norm(query, space->dimensions);
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
