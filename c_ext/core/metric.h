/* metric.h -- what "near" means: the number a user sees, and the geometry beneath.
**
** metric   distance reported               in the index
** cosine   1 - <a,b> / (|a| |b|)           unit vectors, squared distance (= 2 x cosine distance)
** l2       sqrt(sum (a-b)^2)               squared distance
** dot      -<a,b>                          negative product
**
** A zero vector has cosine 0 with anything.  Distances are doubles made from one
** fixed-order float sum; where that sum leaves the range of a float they are
** computed again in double, so that no finite input gives NaN.
*/
#ifndef ANN_CORE_METRIC_H
#define ANN_CORE_METRIC_H

#include "core/base.h"

/* cffi:on */
#define ANN_COSINE 1
#define ANN_L2 2
#define ANN_DOT 3

int ann_metric_named(const char *name);
const char *ann_metric_name(int metric);

typedef struct AnnOrigin {    /* a query to which many distances are taken */
  int metric;
  const float *vector;        /* borrowed */
  int64_t dimensions;
  double norm;                /* squared length, as a float sum; for cosine */
} AnnOrigin;

void ann_origin_init(AnnOrigin *origin, int metric, const float *vector, int64_t dimensions);
double ann_origin_distance(const AnnOrigin *origin, const float *other);
double ann_origin_distance_of(const AnnOrigin *origin, const float *other, double norm);
double ann_metric_distance(int metric, const float *a, const float *b, int64_t dimensions);
int ann_metric_is_zero(const float *vector, int64_t dimensions);
/* cffi:off */

/* ann_metric_named: the metric (any case; "euclidean" is l2), or 0.
** ann_origin_distance_of: the same number when other's squared length, as a float sum, is
** known; only cosine looks at it.
*/

#endif
