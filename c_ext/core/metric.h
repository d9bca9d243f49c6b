/* metric.h -- how far a row is from a query, and where points of the forest are, so that their
** order is nearly that of the distances.
**
** A metric is one row of the table in metric.c.  The same name may have a row for each type.
**
** Distances are doubles made from one fixed-order
** float sum; where that sum leaves the range of a float they are computed again in double, so
** that no finite input gives NaN.
*/
#ifndef ANN_CORE_METRIC_H
#define ANN_CORE_METRIC_H

#include "core/code.h"
#include "core/query.h"
#include "core/sums.h"

/* cffi:on */
typedef struct AnnOrigin { /* a query to which many distances are taken */
  const struct AnnMetric *metric;
  const AnnElement *element; /* of the rows */
  int64_t n;                 /* dimensions */
  int64_t row_bytes;         /* of one row */
  const void *query;         /* borrowed */
  double norm;               /* its squared length, if the metric has use for it, or 0 */
  const AnnRowSums *sums;    /* of the type that rows have; NULL of bits */
  const int8_t *whole;       /* the query, where rows and it are whole numbers; else NULL */
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
  AnnNamed named;   /* `types` are those that it goes with */
  int geometry;     /* of its points */
  int uses_norm;    /* distances are made of squared lengths, too */
  int zero_is_flat; /* all are as far from the zero vector: no point */
  /* The point of the components x: n floats, in scratch or x itself.  Not of a flat vector. */
  const float *(*point)(const float *x, int64_t n, float *scratch);
  /* The distance as users see it; norm: ann_space_norm of the row. */
  double (*distance)(const AnnOrigin *origin, const void *row, double norm);
  /* As for exact arithmetic: set the factor, which is 0, and add to the offset, which allows
  ** for rounding; of a query, of a row.  NULL where distances are as fast as products. */
  void (*bound_query)(AnnBound *bound, double worst);
  void (*bound_row)(AnnBound *bound);
} AnnMetric;

const AnnMetric *ann_metric_default(const AnnElement *element);
const AnnMetric *ann_metric_named(const AnnElement *element, const char *name);
const char *ann_metric_names(const AnnElement *element, char *out_names);
const AnnElement *ann_metric_element(const AnnMetric *metric);
/* cffi:off */

/* ann_metric_default: the first of the table that goes with the type.
** ann_metric_named: by name or alias, in any case; NULL when there is none for the type.
** ann_metric_names: all for the type, for "expected …": as ann_element_names.
** Both take NULL for any type; ann_metric_element is the first type that goes with the metric.
*/

#endif
