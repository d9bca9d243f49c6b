/* code.h -- one bit a component, and what makes an estimate of it.
**
** After Gao and Long, RaBitQ (SIGMOD 2024): with r = x - c (rotated), the code b is
** the sign of r, and <r, y> is estimated without bias by k * <b, y>, where
** k = |r|^2 / |r|_1.  Then, with q the rotated query and s = <b, q>,
**
**   |q - x|^2 = |q - c|^2 + |r|^2 - 2 <r, q - c>
**             ~ |q - c|^2 + [|r|^2 + 2 k <b, c>] + [-2 k] s
**   -<q, x>   = -<q, c> - <r, q - c> - <r, c>
**             ~ -<q, c> + [k <b, c> - <r, c>] + [-k] s
**
** The brackets are the entry's `shift` and `slope`, so that a query makes one table
** of look-ups for all pages.  We differ from the paper in using signs of r itself,
** one rotation for all pages, and 8-bit look-ups in place of a quantised query.
**
** AnnLookup, once a query: for every 4 components the 16 possible sums of +-q, as
** bytes on one scale.  s is then (sum of bytes) / scale + (sum of minima).
**
** Which of the two is estimated is the geometry of the space that the vectors are in.
*/
#ifndef ANN_CORE_CODE_H
#define ANN_CORE_CODE_H

#include "core/base.h"

#define ANN_SPREAD_WEIGHT 0.25f

/* cffi:on */
#define ANN_DISTANCE 1 /* |q - x|^2, the squared distance */
#define ANN_PRODUCT 2  /* -<q, x>, the negative product */

typedef struct AnnCode {
  uint8_t *bits; /* owned by the caller: length / 8 bytes, bit i of byte i/8 by i%8 */
  float shift;
  float slope;
} AnnCode;

typedef struct AnnLookup {
  uint8_t *bytes;   /* owned: 16 for every 4 components */
  int64_t n_tables; /* length / 4 */
  float unit;       /* value of one step of a byte */
  float minimum;    /* sum of the smallest entries of all tables */
} AnnLookup;

void ann_code_encode(int geometry, const float *x, const float *centre, int64_t length,
                     AnnCode *out_code);
int ann_lookup_init(AnnLookup *lookup, int64_t length);
void ann_lookup_fill(AnnLookup *lookup, const float *query);
void ann_lookup_clear(AnnLookup *lookup);

void ann_centre_encode(const float *centre, int64_t length, float spread, uint8_t *out_record);
void ann_centre_decode(const uint8_t *record, int64_t length, float *out_centre);
float ann_centre_base(int geometry, const uint8_t *record, const float *query, float query_norm,
                      int64_t length);
float ann_centre_score(int geometry, const uint8_t *record, float base, float query_norm,
                       int64_t length);
void ann_centre_prefetch(const uint8_t *record, int64_t length);
/* cffi:off */

/* What an estimate counts as.  No squared distance is below 0: an estimate that is, errs by as
** much at least, and its row may as well be so far away.  Rows whose leaf is many times wider than
** what lies around the query would else come before all that are near. */
static inline float ann_code_distance(int geometry, float estimate) {
  return geometry == ANN_DISTANCE && estimate < 0 ? -estimate : estimate;
}

/* x, centre, query: rotated, `length` components.  query_norm: squared length.
** A centre is what its record says: callers encode it first and use the decoded one.
** ann_centre_base: |q - c|^2, or -<q, c>.
** ann_centre_score: the order in which leaves are read, smaller first: for distances, base +
** ANN_SPREAD_WEIGHT x the mean squared radius, or the base where that is less: a wide leaf must
** not wait behind all narrow ones around a query near its centre, which may be a row of it
** (docs/MEASUREMENTS.md, "order of leaves").
** ann_centre_prefetch: a hint that the centre is about to be read.
*/

#endif
