/* half.c -- see half.h. */
#include "core/half.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Half {
  int mantissa_bits;    /* stored */
  int least_exponent;   /* of the unit of a subnormal number: 2 to this is the smallest */
  int largest_exponent; /* of a finite number */
} Half;

static const Half halves[] = {
  [ANN_HALF_FLOAT16] = {10, -24, 15},
  [ANN_HALF_BFLOAT16] = {7, -133, 127},
};

/* Significant digits that are enough for the middle of two neighbours, exactly: (2 i + 1)
** 2^-134 has at most 96, and what JSON may write has fewer than the room for them. */
#define DIGITS 160

static uint16_t sign_of(double x) { return signbit(x) ? 0x8000 : 0; }

static uint16_t infinity_of(const Half *half) {
  return (uint16_t)(0x7fffu >> half->mantissa_bits << half->mantissa_bits);
}

/* The exponent of the last place of the halves around x, which is finite and not 0. */
static int unit_exponent(const Half *half, double x) {
  int exponent;
  frexp(x, &exponent); /* |x| is in [2^(exponent - 1), 2^exponent) */
  exponent = exponent - 1 - half->mantissa_bits;
  return exponent > half->least_exponent ? exponent : half->least_exponent;
}

/* So many last places as bits; a carry into the next power of two is one into the next
** exponent. */
static uint16_t bits_of(const Half *half, uint32_t units, int exponent) {
  uint32_t bits = units;
  if (units >> half->mantissa_bits) { /* no subnormal */
    bits += (uint32_t)(exponent - half->least_exponent) << half->mantissa_bits;
  }
  return bits < infinity_of(half) ? (uint16_t)bits : infinity_of(half);
}

/* The half beside x, rounded down or, if `up`, away from 0; *out_left: how much of a unit
** was cut off. */
static uint16_t cut(const Half *half, double x, int up, double *out_left) {
  int exponent = unit_exponent(half, x);
  double units;
  *out_left = 0;
  if (fabs(x) >= ldexp(2, half->largest_exponent)) return infinity_of(half);
  units = floor(ldexp(fabs(x), -exponent));
  *out_left = ldexp(fabs(x), -exponent) - units;
  return bits_of(half, (uint32_t)units + (uint32_t)up, exponent);
}

uint16_t ann_half_from_double(int type, double x) {
  const Half *half = &halves[type];
  uint16_t bits;
  double left;
  if (x != x) return (uint16_t)(infinity_of(half) | 1);
  if (x == 0) return sign_of(x);
  if (isinf(x)) return (uint16_t)(infinity_of(half) | sign_of(x));
  bits = cut(half, x, 0, &left);
  if (left > 0.5 || (left == 0.5 && (bits & 1))) bits = cut(half, x, 1, &left);
  return (uint16_t)(bits | sign_of(x));
}

/* ---- decimals ---- */

/* The digits of a number from the first that is not 0, and the power of ten of that one. */
static int digits_of(const char *number, char *out_digits, long *out_power) {
  long before = 0, leading = 0;
  int n = 0, in_fraction = 0;
  if (*number == '-') number++;
  for (; *number && *number != 'e' && *number != 'E'; number++) {
    if (!isdigit((unsigned char)*number)) { /* the point of this locale */
      in_fraction = 1;
      continue;
    }
    if (n == 0 && *number == '0') {
      leading += in_fraction;
      continue;
    }
    before += !in_fraction;
    if (n < DIGITS) out_digits[n++] = *number;
  }
  *out_power = (before > 0 ? before : -leading) + (*number ? strtol(number + 1, NULL, 10) : 0);
  return n;
}

/* Below, at or above: a decimal against a number that has few digits, without their signs. */
static int compare_decimal(const char *number, double x) {
  char exact[DIGITS + 32], a[DIGITS], b[DIGITS];
  long power_a, power_b;
  int n_a, n_b, i;
  snprintf(exact, sizeof exact, "%.*e", DIGITS - 1, fabs(x));
  n_a = digits_of(number, a, &power_a);
  n_b = digits_of(exact, b, &power_b);
  if (power_a != power_b) return power_a < power_b ? -1 : 1;
  for (i = 0; i < n_a || i < n_b; i++) {
    char digit_a = i < n_a ? a[i] : '0', digit_b = i < n_b ? b[i] : '0';
    if (digit_a != digit_b) return digit_a < digit_b ? -1 : 1;
  }
  return 0;
}

uint16_t ann_half_from_decimal(int type, const char *number) {
  const Half *half = &halves[type];
  double x = strtod(number, NULL), left;
  int side;
  uint16_t bits;
  if (x == 0 || isinf(x)) return ann_half_from_double(type, x);
  bits = cut(half, x, 0, &left);
  side = left == 0.5 ? compare_decimal(number, x) : 0;
  if (side == 0) return ann_half_from_double(type, x);
  bits = cut(half, x, side > 0, &left);
  return (uint16_t)(bits | sign_of(x));
}
