/* half.h -- the numbers of two bytes: float16 (IEEE 754 binary16) and bfloat16, the upper half
** of a float.
**
** Both are here as their bits.  Every one of them is a float exactly; the way back rounds once,
** to the nearest, halves to even.
**
**   float16    1 sign, 5 exponent, 10 mantissa bits: up to 65,504, 3 to 4 decimal digits
**   bfloat16   1 sign, 8 exponent,  7 mantissa bits: the range of a float, 2 to 3 decimal digits
*/
#ifndef ANN_CORE_HALF_H
#define ANN_CORE_HALF_H

#include "core/base.h"

/* cffi:on */
#define ANN_HALF_FLOAT16 0
#define ANN_HALF_BFLOAT16 1

uint16_t ann_half_from_double(int type, double x);
uint16_t ann_half_from_decimal(int type, const char *number);
/* cffi:off */

static inline float ann_float16_to_float(uint16_t bits) {
  /* The exponent is moved by a product, which normalises subnormal numbers as well. */
  uint32_t magnitude = (uint32_t)(bits & 0x7fff) << 13;
  float x;
  memcpy(&x, &magnitude, 4);
  x *= 0x1p112f;
  memcpy(&magnitude, &x, 4);
  if ((bits & 0x7c00) == 0x7c00) magnitude |= 0x7f800000; /* infinity, NaN */
  magnitude |= (uint32_t)(bits & 0x8000) << 16;
  memcpy(&x, &magnitude, 4);
  return x;
}

static inline float ann_bfloat16_to_float(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float x;
  memcpy(&x, &wide, 4);
  return x;
}

/* ann_half_from_double: the nearest, of any number; infinity for what rounds beyond the
** largest. ann_half_from_decimal: the nearest to a number as strtod reads it (json.h), of the
** decimal itself: where the nearest double lies in the middle of two halves, the digits decide.
*/

#endif
