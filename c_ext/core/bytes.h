/* bytes.h -- little-endian numbers in byte arrays, and the checksum of a page.
**
** memcpy is the only cast: a compiler makes one instruction of it.  Big-endian
** hosts swap.
*/
#ifndef ANN_CORE_BYTES_H
#define ANN_CORE_BYTES_H

#include "core/base.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ANN_LE32(x) __builtin_bswap32(x)
#define ANN_LE64(x) __builtin_bswap64(x)
#else
#define ANN_LE32(x) (x)
#define ANN_LE64(x) (x)
#endif

static inline uint32_t ann_get32(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return ANN_LE32(x);
}

static inline uint64_t ann_get64(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, 8);
  return ANN_LE64(x);
}

static inline float ann_get_f32(const uint8_t *p) {
  uint32_t x = ann_get32(p);
  float f;
  memcpy(&f, &x, 4);
  return f;
}

static inline void ann_put32(uint8_t *p, uint32_t x) {
  x = ANN_LE32(x);
  memcpy(p, &x, 4);
}

static inline void ann_put64(uint8_t *p, uint64_t x) {
  x = ANN_LE64(x);
  memcpy(p, &x, 8);
}

static inline void ann_put_f32(uint8_t *p, float f) {
  uint32_t x;
  memcpy(&x, &f, 4);
  ann_put32(p, x);
}

/* The checksum of n bytes, n a multiple of 32, skipping the 8 bytes at `skip`
** (a multiple of 8), where the checksum itself is stored.  Four lanes of 64 bits,
** so that 16 kB take about a microsecond; FORMAT.md writes the steps down.
*/
static inline uint64_t ann_checksum(const uint8_t *p, size_t n, size_t skip) {
  const uint64_t prime = 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio, odd */
  uint64_t lane[4] = {1, 2, 3, 4};
  uint64_t sum = (uint64_t)n;
  size_t i;
  int j;
  for (i = 0; i < n; i += 32) {
    for (j = 0; j < 4; j++) {
      size_t at = i + 8 * (size_t)j;
      uint64_t word = at == skip ? 0 : ann_get64(p + at);
      uint64_t x = (lane[j] ^ word) * prime;
      lane[j] = x ^ (x >> 29);
    }
  }
  for (j = 0; j < 4; j++) {
    sum = (sum ^ lane[j]) * prime;
    sum ^= sum >> 32;
  }
  return sum;
}

/* A number folded from another one and n bytes, for whoever compares two states of
** something. */
static inline uint64_t ann_digest(uint64_t digest, const void *bytes, size_t n) {
  const uint64_t prime = 0x9E3779B97F4A7C15u;
  const uint8_t *p = bytes;
  size_t whole = n / 32 * 32;
  uint8_t rest[32] = {0};
  if (n > whole) memcpy(rest, p + whole, n - whole);
  digest = (digest ^ ann_checksum(p, whole, SIZE_MAX)) * prime;
  digest ^= digest >> 29;
  digest = (digest ^ ann_checksum(rest, 32, SIZE_MAX) ^ n) * prime;
  return digest ^ (digest >> 32);
}

#endif
