/* blend.h -- several vectors, liked and disliked, as one query.
**
** The query is the weighted mean of the vectors' points (space.h), for which directions count as
** unit vectors.  Rows then come in the order of the weighted sum of their distances from the
** vectors, exactly so for cosine and dot, and for the squares of l2 and angular:
**
**   sum of w |x - v|^2  =  (sum of w) |x - mean|^2 + what does not depend on x
**
** Hence the weights' sum has to be above 0 where lengths count.  Where they do not, it is divided
** by the sum of the weights' magnitudes, and all may be below 0: the query is then the opposite.
**
** Sums are in double, in the order in which vectors come; each component is rounded once.
*/
#ifndef ANN_CORE_BLEND_H
#define ANN_CORE_BLEND_H

#include "core/space.h"

/* cffi:on */
typedef struct AnnBlend {
  const AnnSpace *space; /* borrowed */
  double *sums;          /* owned: a component each */
  float *scratch;        /* owned: the same, for a point, and the blob of the mean */
  double weights, magnitudes;
  int64_t n; /* vectors */
} AnnBlend;

int ann_blend_init(AnnBlend *blend, const AnnSpace *space);
void ann_blend_add(AnnBlend *blend, const void *vector, double weight);
int ann_blend_finish(AnnBlend *blend, void *out_query, char *out_message);
void ann_blend_clear(AnnBlend *blend);
/* cffi:off */

/* ann_blend_init: ANN_OK or ANN_NOMEM; clear it in any case.
** ann_blend_add: a vector as it is stored; weight: finite.
** ann_blend_finish: the query, of query_size bytes; ANN_ERROR and the clause that says what is
** wrong with the weights, or with the mean, in out_message (ANN_VECTOR_MESSAGE bytes).
*/

#endif
