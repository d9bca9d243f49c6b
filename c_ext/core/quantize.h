/* quantize.h -- floats as the nearest vector of another type; part of a vector.
**
**   float16, bfloat16   rounded, halves to even; refused where that is infinite
**   int8                component x scale, rounded, at most 127 and at least -127.  A scale of 0
**                       stands for the one that makes the largest magnitude 127: angles stay
**                       what they are, lengths do not, so that l2, l1 and dot want one scale for
**                       all rows
**   bit                 1 where a component is above 0
*/
#ifndef ANN_CORE_QUANTIZE_H
#define ANN_CORE_QUANTIZE_H

#include "core/element.h"

/* cffi:on */
int ann_quantize(const AnnElement *element, const float *x, int64_t n, double scale,
                 void *out_vector, char *out_message);
int ann_quantize_takes_scale(const AnnElement *element);
int ann_quantize_takes_fractions(const AnnElement *element);
void ann_slice(const AnnElement *element, const void *vector, int64_t start, int64_t end,
               void *out_vector);
/* cffi:off */

/* ann_quantize: x is finite.  ANN_OK, or ANN_ERROR and a clause in out_message, of
** ANN_VECTOR_MESSAGE bytes.
** ann_quantize_takes_scale: of int8; ann_quantize_takes_fractions: of floats of any width.
** ann_slice: the components from start to end - 1.
*/

#endif
