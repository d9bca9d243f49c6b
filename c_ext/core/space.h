/* space.h -- what "near" means: element type x metric x dimensions.
**
** Only here, and in the headers above it, is it known what a component is and which metric is
** in force; all others pass vectors by `const void *`, space->blob_size bytes each, and
** queries, space->query_size bytes, and ask the space.
**
** Points are what the forest is made of: floats, whose geometry (code.h) orders them as the
** metric orders the vectors, or nearly so: a search ranks the best estimates by the distance
** itself, and how many have to be ranked is measured (index/calibrate.h).
*/
#ifndef ANN_CORE_SPACE_H
#define ANN_CORE_SPACE_H

#include "core/metric.h"
#include "core/rotation.h"

/* cffi:on */
typedef struct AnnSpace {
  const AnnElement *element;
  const AnnMetric *metric;
  int64_t dimensions;
  int64_t blob_size;  /* bytes of a vector */
  int64_t query_size; /* bytes of a query, query.h */
  int geometry;       /* ANN_DISTANCE, ANN_PRODUCT: of its points */
} AnnSpace;

void ann_space_init(AnnSpace *space, const AnnElement *element, const AnnMetric *metric,
                    int64_t dimensions);
int ann_space_equal(const AnnSpace *a, const AnnSpace *b);
int ann_space_is_own_nearest(const AnnSpace *space);

void ann_space_to_blob(const AnnSpace *space, const void *vector, void *out_blob);

void ann_space_as_query(const AnnSpace *space, const void *vector, void *out_query);
int ann_space_is_query_of(const AnnSpace *space, const void *query, const void *vector);
int ann_space_queries_from_blobs(const AnnSpace *space, const void *blobs, int64_t n_bytes,
                                 int64_t n, void *out_queries);
int64_t ann_space_query_blob_size(const AnnSpace *space);
void ann_space_queries_to_blobs(const AnnSpace *space, const void *queries, int64_t n,
                                void *out_blobs);

double ann_space_norm(const AnnSpace *space, const void *vector);
int ann_space_is_flat(const AnnSpace *space, const void *query);
void ann_origin_init(AnnOrigin *origin, const AnnSpace *space, const void *query);
double ann_origin_distance(const AnnOrigin *origin, const void *row);
double ann_origin_distance_of(const AnnOrigin *origin, const void *row, double norm);

void ann_space_point(const AnnSpace *space, const AnnRotation *rotation, const void *vector,
                     float *scratch, float *out_point);
void ann_space_query_point(const AnnSpace *space, const AnnRotation *rotation,
                           const void *query, float *scratch, float *out_point);

int ann_space_has_bounds(const AnnSpace *space);
int64_t ann_space_stride(const AnnSpace *space);
int ann_space_is_floats(const AnnSpace *space);
void ann_space_float_row(const AnnSpace *space, const void *vector, float *out_row);
void ann_space_query_row(const AnnSpace *space, const void *query, float *out_row);
void ann_bound_init(AnnBound *bound, const AnnSpace *space, const void *vector);
void ann_bound_init_query(AnnBound *bound, const AnnSpace *space, const void *query);
void ann_bound_as_query(AnnBound *bound, const AnnSpace *space, double worst);
void ann_bound_as_row(AnnBound *bound, const AnnSpace *space);
/* cffi:off */

/* Whether the product of their float rows allows a pair; NaN, of sums beyond a float, does. */
static inline int ann_bound_allows(const AnnBound *query, const AnnBound *row, float product) {
  return !((double)product < query->factor * row->factor + query->offset + row->offset);
}

/* ann_space_init: element and metric go together.  A space owns nothing.
** ann_space_is_own_nearest: whether no vector is nearer to one than itself.
**
** ann_space_to_blob: a vector as it is stored; out_blob may be where the vector is.
**
** ann_space_as_query: out_query, of query_size bytes, may be where the vector is.
** ann_space_is_query_of: whether the query is what as_query makes of the vector.
** ann_space_queries_from_blobs: n queries that lie one after the other, each of query_blob_size
** bytes, of float32 but for those of bits; ANN_OK, or ANN_ERROR when there are not as many bytes
** or a component is not allowed.  ann_space_queries_to_blobs: the way back.
**
** ann_space_norm: of a vector that many distances are taken to, what makes them faster: its
** squared length, or 0 if the metric has no use for it. ann_origin_distance_of: the same number
** as ann_origin_distance, when the row's is known. ann_space_is_flat: whether the query has no
** direction, which its metric goes by: the forest is of no help then.
**
** ann_space_point, ann_space_query_point: of a row, of a query, rotated: rotation->length
** floats. scratch: `dimensions` floats.
**
** ann_space_has_bounds: whether pairs are ruled out at all, by what follows. ann_space_stride:
** floats in a float row: the components, and zeros up to whole lanes of the kernels' sums,
** which they do not change. ann_space_is_floats: whether a vector is the beginning of its own
** float row. ann_space_float_row, ann_space_query_row: the components of a row, of a query;
** what follows them in the row stays as it is, and where the vector lies in the row itself, so
** does everything. ann_bound_init: of a vector, its norm, which ann_origin_distance_of takes,
** too.  Then, for a query again each time that the largest distance wanted, `worst`, is
** another: ann_bound_as_query, ann_bound_as_row: the rest.
*/

#endif
