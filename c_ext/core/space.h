/* space.h -- what "near" means: element type x metric x dimensions.
**
** A metric is one row of the table in space.c: a name and what is done to vectors.  Only here,
** and in element.h, is it known what a component is and which metric is in force; all others
** pass vectors by `const void *`, space->blob_size bytes each, and ask the space.
**
** metric   distance reported               as points of the forest
** cosine   1 - <a,b> / (|a| |b|)           unit vectors, squared distance (= 2 x cosine distance)
** l2       sqrt(sum (a-b)^2)               the vectors, squared distance
** dot      -<a,b>                          the vectors, negative product
**
** A zero vector has cosine 0 with anything.  Distances are doubles made from one fixed-order
** float sum; where that sum leaves the range of a float they are computed again in double, so
** that no finite input gives NaN.
**
** Points are what the forest is made of: floats, whose geometry (code.h) orders them as the
** metric orders the vectors.
*/
#ifndef ANN_CORE_SPACE_H
#define ANN_CORE_SPACE_H

#include "core/code.h"
#include "core/element.h"
#include "core/rotation.h"

/* cffi:on */
typedef struct AnnSpace {
  const AnnElement *element;
  const struct AnnMetric *metric;
  int64_t dimensions;
  int64_t blob_size; /* bytes of a vector */
  int geometry;      /* ANN_DISTANCE, ANN_PRODUCT: of its points */
} AnnSpace;

typedef struct AnnOrigin { /* a query to which many distances are taken */
  const AnnSpace *space;   /* borrowed */
  const void *vector;      /* borrowed */
  double norm;             /* ann_space_norm of it */
} AnnOrigin;

/* Which vectors may be near a query, told by the products of float rows, which are faster than
** distances: a row may be at most as far as `worst` if
**
**   <query, row> >= query.factor x row.factor + query.offset + row.offset
*/
typedef struct AnnBound {
  double norm; /* squared length of the float row */
  double factor, offset;
} AnnBound;

typedef struct AnnMetric {
  const char *name, *alias; /* alias: another name, or NULL */
  int elements;             /* the types it goes with: ANN_FLOAT32 | … */
  int geometry;             /* of its points */
  int uses_norm;            /* distances are made of squared lengths, too */
  int zero_is_flat;         /* all are as far from the zero vector: no point */
  /* The point: `dimensions` floats, in scratch or where the vector lies.  Not of a flat vector. */
  const float *(*point)(const AnnSpace *space, const void *vector, float *scratch);
  /* The distance as users see it; norm: ann_space_norm of `other`. */
  double (*distance)(const AnnOrigin *origin, const void *other, double norm);
  /* As for exact arithmetic: set the factor, which is 0, and add to the offset, which allows
  ** for rounding; of a query, of a row.  A metric of which products tell nothing adds
  ** -infinity. */
  void (*bound_query)(AnnBound *bound, double worst);
  void (*bound_row)(AnnBound *bound);
} AnnMetric;

const AnnMetric *ann_metric_default(const AnnElement *element);
const AnnMetric *ann_metric_named(const AnnElement *element, const char *name);
const char *ann_metric_names(const AnnElement *element, char *out_names);
const AnnElement *ann_metric_element(const AnnMetric *metric);

void ann_space_init(AnnSpace *space, const AnnElement *element, const AnnMetric *metric,
                    int64_t dimensions);
int ann_space_equal(const AnnSpace *a, const AnnSpace *b);
int ann_space_is_own_nearest(const AnnSpace *space);

int ann_space_from_blobs(const AnnSpace *space, const void *blobs, int64_t n_bytes, int64_t n,
                         void *out_vectors);
void ann_space_to_blobs(const AnnSpace *space, const void *vectors, int64_t n, void *out_blobs);

double ann_space_norm(const AnnSpace *space, const void *vector);
int ann_space_is_flat(const AnnSpace *space, const void *vector);
double ann_space_distance(const AnnSpace *space, const void *a, const void *b);
void ann_origin_init(AnnOrigin *origin, const AnnSpace *space, const void *vector);
double ann_origin_distance(const AnnOrigin *origin, const void *other);
double ann_origin_distance_of(const AnnOrigin *origin, const void *other, double norm);

void ann_space_point(const AnnSpace *space, const AnnRotation *rotation, const void *vector,
                     float *scratch, float *out_point);

int64_t ann_space_stride(const AnnSpace *space);
int ann_space_is_floats(const AnnSpace *space);
void ann_space_float_row(const AnnSpace *space, const void *vector, float *out_row);
void ann_bound_init(AnnBound *bound, const AnnSpace *space, const void *vector);
void ann_bound_as_query(AnnBound *bound, const AnnSpace *space, double worst);
void ann_bound_as_row(AnnBound *bound, const AnnSpace *space);
/* cffi:off */

/* Whether the product of their float rows allows a pair; NaN, of sums beyond a float, does. */
static inline int ann_bound_allows(const AnnBound *query, const AnnBound *row, float product) {
  return !((double)product < query->factor * row->factor + query->offset + row->offset);
}

/* ann_metric_default: the first of the table that goes with the type.
** ann_metric_named: by name or alias, in any case; NULL when there is none for the type.
** ann_metric_names: all for the type, for "expected …": as ann_element_names.
** Both take NULL for any type; ann_metric_element is the first type that goes with the metric.
**
** ann_space_init: element and metric go together.  A space owns nothing.
** ann_space_is_own_nearest: whether no vector is nearer to one than itself.
**
** ann_space_from_blobs: n vectors that lie one after the other; ANN_OK, or ANN_ERROR when there
** are not as many bytes or a component is not allowed.  ann_space_to_blobs: the way back.
**
** ann_space_norm: of a vector that many distances are taken to, what makes them faster: its
** squared length, or 0 if the metric has no use for it.
** ann_origin_distance_of: the same number as ann_origin_distance, when the other's is known.
** ann_space_is_flat: whether every vector is equally far from this one.
**
** ann_space_point: the point, rotated: rotation->length floats.  scratch: `dimensions` floats.
**
** ann_space_stride: floats in a float row: the components, and zeros up to whole lanes of the
** kernels' sums, which they do not change.
** ann_space_is_floats: whether a vector is the beginning of its own float row.
** ann_space_float_row: the components; what follows them in the row stays as it is, and where
** the vector lies in the row itself, so does everything.
** ann_bound_init: of a vector, its norm, which ann_origin_distance_of takes, too.  Then, for a
** query again each time that the largest distance wanted, `worst`, is another:
** ann_bound_as_query, ann_bound_as_row: the rest.
*/

#endif
