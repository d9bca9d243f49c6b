/* kernels.c -- a program that compares each implementation of core/kernel.h with the portable
** one, bit by bit.
**
** test_kernel.py asks more of each, but needs Python where it runs: this runs under an emulator
** of another CPU (`make test-neon`), and natively with AVX-512 emulated (`make test-kernels`).
** All arguments lie right before memory that must not be touched, or anywhere; what follows
** them is never read.  NaN equals NaN.
*/
#define _DEFAULT_SOURCE

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/kernel.h"

#define ROOM (1 << 19) /* bytes of an argument at most */
#define N_ROOMS 4

static const AnnKernels *plain, *tested;
static char
    *rooms[N_ROOMS]; /* ROOM bytes each, and after them a page that must not be touched */
static long n_compared;

/* ---- what is compared ---- */

static uint32_t random_state = 20261;

static uint32_t random_bits(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

static float of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* kind 0: about 1; 1: any finite number; 2: small whole numbers; 3: mostly -0, 0, denormals,
** infinities and the largest; 4: NaN too; 5: denormals. */
#define N_KINDS 6
static float random_float(int kind) {
  static const uint32_t ends[] = {0x80000000, 0,          1,          0x80000001, 0x007fffff,
                                  0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000};
  float x = (float)(int32_t)random_bits() / 1e9f;
  if (kind == 1) {
    do x = of_bits(random_bits());
    while (!isfinite(x));
  }
  if (kind == 2) x = (float)(int)(random_bits() % 7) - 3;
  if (kind == 3 || kind == 4) {
    uint32_t which = random_bits() % 16;
    if (which < sizeof ends / sizeof *ends) x = of_bits(ends[which]);
    else if (kind == 4 && which == 15) x = NAN;
  }
  if (kind == 5) x = of_bits((random_bits() & 0x80000000) | (random_bits() & 0x007fffff));
  return x;
}

/* n bytes in a room: at its end, or `offset` before. */
static void *place(int room, size_t n, size_t offset) {
  return rooms[room] + ROOM - n - offset;
}

static float *floats(int room, size_t n, size_t offset, int kind) {
  float *x = place(room, n * sizeof *x, offset * sizeof *x);
  size_t i;
  for (i = 0; i < n; i++) x[i] = random_float(kind);
  return x;
}

static uint8_t *bytes(int room, size_t n, size_t offset) {
  uint8_t *x = place(room, n, offset);
  size_t i;
  for (i = 0; i < n; i++) x[i] = (uint8_t)random_bits();
  return x;
}

static void fail(const char *what, size_t n, size_t offset, int kind) {
  fprintf(stderr, "%s: %s differs, n = %zu, offset = %zu, kind = %d\n", tested->name, what, n,
          offset, kind);
  exit(1);
}

static int same(float a, float b) {
  return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void compare(const char *what, const float *a, const float *b, size_t n_numbers,
                    size_t n, size_t offset, int kind) {
  size_t i;
  for (i = 0; i < n_numbers; i++) {
    if (!same(a[i], b[i])) fail(what, n, offset, kind);
  }
  n_compared++;
}

/* ---- each kernel ---- */

static void compare_sums(size_t n, size_t offset, int kind) {
  const float *a = floats(0, n, offset, kind), *b = floats(1, n, offset / 2, kind);
  const int8_t *c = (const int8_t *)bytes(2, n, 3 * offset);
  float got[3], wanted[3];
  got[0] = tested->dot(a, b, n), wanted[0] = plain->dot(a, b, n);
  got[1] = tested->l2(a, b, n), wanted[1] = plain->l2(a, b, n);
  got[2] = tested->dot_i8(a, c, n), wanted[2] = plain->dot_i8(a, c, n);
  compare("dot", got, wanted, 1, n, offset, kind);
  compare("l2", got + 1, wanted + 1, 1, n, offset, kind);
  compare("dot_i8", got + 2, wanted + 2, 1, n, offset, kind);
}

/* Rows are random bytes, NaN among them. */
static void compare_row_sums(size_t n, size_t offset, int kind) {
  static const size_t sizes[ANN_N_ROW_TYPES] = {4, 2, 2, 1};
  const float *q = floats(0, n, offset, kind);
  float *got = place(2, n * sizeof *got, 0), *wanted = place(3, n * sizeof *wanted, 0);
  int type, i;
  for (type = 0; type < ANN_N_ROW_TYPES; type++) {
    const AnnRowSums *a = &tested->sums->of[type], *b = &plain->sums->of[type];
    const uint8_t *row = bytes(1, n * sizes[type], offset);
    float sums[4], expected[4];
    sums[0] = a->dot(q, row, n), expected[0] = b->dot(q, row, n);
    sums[1] = a->l2(q, row, n), expected[1] = b->l2(q, row, n);
    sums[2] = a->l1(q, row, n), expected[2] = b->l1(q, row, n);
    sums[3] = a->norm(row, n), expected[3] = b->norm(row, n);
    for (i = 0; i < 4; i++) compare("a row's sum", sums + i, expected + i, 1, n, offset, type);
    a->widen(row, n, got);
    b->widen(row, n, wanted);
    compare("widen", got, wanted, n, n, offset, type);
  }
}

static void compare_whole(size_t n, size_t offset, int extreme) {
  uint8_t *x = bytes(0, n, offset), *y = bytes(1, n, 2 * offset);
  const AnnSums *a = tested->sums, *b = plain->sums;
  if (extreme) memset(x, 0x80, n), memset(y, extreme == 1 ? 0x80 : 0x7f, n);
  if (a->int8_dot((int8_t *)x, (int8_t *)y, n) != b->int8_dot((int8_t *)x, (int8_t *)y, n) ||
      a->int8_l2((int8_t *)x, (int8_t *)y, n) != b->int8_l2((int8_t *)x, (int8_t *)y, n) ||
      a->int8_l1((int8_t *)x, (int8_t *)y, n) != b->int8_l1((int8_t *)x, (int8_t *)y, n) ||
      a->differing(x, y, n) != b->differing(x, y, n) ||
      a->common(x, y, n) != b->common(x, y, n)) {
    fail("a sum of whole numbers or bits", n, offset, extreme);
  }
  n_compared++;
}

static void compare_rows(size_t n, size_t offset, int kind) {
  size_t n_rows = offset % 11;
  const float *x = floats(0, n, offset, kind), *rows = floats(1, n * n_rows, offset, kind);
  float *got = place(2, n_rows * sizeof *got, 0),
        *wanted = place(3, n_rows * sizeof *wanted, 0);
  tested->dot_rows(x, rows, n, n_rows, got);
  plain->dot_rows(x, rows, n, n_rows, wanted);
  compare("dot_rows", got, wanted, n_rows, n, offset, kind);
}

/* Nearly the same: |error| <= n 2^-23 of the sum of magnitudes. */
static void compare_products(size_t n, size_t offset) {
  size_t n_rows = offset % 7, r, j, i;
  const float *a, *b;
  float *got = place(2, 4 * n_rows * sizeof *got, 0);
  n = (n + 15) / 16 * 16;
  a = floats(0, 4 * n, offset, 0), b = floats(1, n * n_rows, offset / 2, 0);
  tested->products(a, b, n, n_rows, got);
  for (r = 0; r < n_rows; r++) {
    for (j = 0; j < 4; j++) {
      double sum = 0, size = 0, error;
      for (i = 0; i < n; i++) {
        double product = (double)a[j * n + i] * (double)b[r * n + i];
        sum += product;
        size += product < 0 ? -product : product;
      }
      error = (double)got[4 * r + j] - sum;
      if (!((error < 0 ? -error : error) <= (double)n * size / 8388608)) {
        fail("products", n, offset, (int)r);
      }
    }
  }
}

static void compare_scans(size_t n, size_t offset, int highest) {
  uint8_t *codes = bytes(0, 16 * n, offset), *lut = bytes(1, 16 * n, 2 * offset);
  uint32_t *got = place(2, 128, 4 * (offset % 5)), *wanted = place(3, 128, 0);
  if (highest) memset(lut, 255, 16 * n);
  tested->scan(codes, lut, n, got);
  plain->scan(codes, lut, n, wanted);
  if (memcmp(got, wanted, 128) != 0) fail("scan", n, offset, highest);
  n_compared++;
}

static void compare_estimates(size_t offset, int kind) {
  uint32_t *sums = (uint32_t *)place(0, 128, 4 * offset), within[2];
  float *corrections = floats(1, 64, offset, kind), *got = place(2, 128, 0),
        *wanted = place(3, 128, 0);
  AnnLine line;
  int i;
  for (i = 0; i < 32; i++) sums[i] = random_bits() >> (8 + random_bits() % 20);
  line.unit = random_float(kind), line.minimum = random_float(kind);
  line.base = random_float(kind), line.bound = random_float(kind);
  for (i = 0; i < 3; i++) {
    within[0] = tested->estimate(sums, (uint8_t *)corrections, &line, got);
    within[1] = plain->estimate(sums, (uint8_t *)corrections, &line, wanted);
    compare("estimate", got, wanted, 32, 32, offset, kind);
    if (within[0] != within[1]) fail("estimate's bound", 32, offset, kind);
    line.bound = i ? NAN : wanted[offset % 32];
  }
}

static void compare_least(size_t n, size_t offset, int kind) {
  const float *x = floats(0, n, offset, kind);
  if (tested->least(x, n) != plain->least(x, n)) fail("least", n, offset, kind);
  n_compared++;
}

static void compare_hadamard(size_t n, size_t offset, int kind) {
  float *got = floats(0, n, offset, kind), *wanted = place(1, n * sizeof *wanted, 0);
  memcpy(wanted, got, n * sizeof *got);
  tested->hadamard(got, n);
  plain->hadamard(wanted, n);
  compare("hadamard", got, wanted, n, n, offset, kind);
}

/* With steps as code.c takes them: 255 for the largest range, which is above 0. */
static void compare_fill(size_t n, size_t offset, int kind) {
  float *query = floats(0, 4 * n, offset, kind), largest = 0;
  uint8_t *got = place(1, 16 * n, offset), *wanted = place(2, 16 * n, 0);
  size_t m;
  for (m = 0; m < n; m++, query += 4) {
    float range = 2 *
                  (((fabsf(query[0]) + fabsf(query[1])) + fabsf(query[2])) + fabsf(query[3]));
    if (range > largest) largest = range;
  }
  query -= 4 * n;
  if (!isfinite(largest) || !isfinite(255 / largest)) return;
  tested->fill(query, n, 255 / largest, got);
  plain->fill(query, n, 255 / largest, wanted);
  if (memcmp(got, wanted, 16 * n) != 0) fail("fill", n, offset, kind);
  n_compared++;
}

static void compare_signs(size_t n, size_t offset, int kind) {
  float *x = floats(0, n, offset, kind), *c = floats(3, n, offset, kind);
  uint8_t *got = place(1, n / 8, offset), *wanted = place(2, n / 8, 0);
  float sums[48], expected[48];
  tested->signs(x, c, n, got, sums);
  plain->signs(x, c, n, wanted, expected);
  if (memcmp(got, wanted, n / 8) != 0) fail("signs, bits", n, offset, kind);
  compare("signs", sums, expected, 48, n, offset, kind);
}

/* ---- all of them ---- */

static void compare_all(void) {
  size_t n, offset;
  int kind;
  for (n = 0; n < 1100; n += n < 200 ? 1 : 13) {
    for (kind = 0; kind < N_KINDS; kind++) {
      for (offset = 0; offset < 16; offset += 1 + n / 64) {
        compare_sums(n, offset, kind);
        compare_rows(n, offset, kind);
        compare_row_sums(n, offset, kind);
        if (kind == 0) compare_products(n, offset);
      }
    }
    for (offset = 0; offset < 64; offset += 1 + n / 32) compare_scans(n, offset, n % 2);
    for (offset = 0; offset < 24; offset++) compare_whole(n, offset, (int)offset % 3);
    for (offset = 0; offset < 20; offset += 1 + n / 16) {
      for (kind = 0; kind < 3; kind++) compare_fill(n, offset, kind);
    }
  }
  for (n = 16384; n < 16390; n++) compare_scans(n, n % 64, n % 2);
  for (n = 65520; n <= 65536; n++) compare_whole(n, n % 64, (int)(n % 3));
  for (offset = 0; offset < 300; offset++) {
    for (kind = 0; kind < N_KINDS; kind++) compare_estimates(offset, kind);
  }
  for (kind = 0; kind < N_KINDS; kind++) {
    for (n = 16; n <= 65536; n *= 2) {
      for (offset = 0; offset < 17; offset++) compare_hadamard(n, offset, kind);
    }
    for (n = 16; n <= 1024; n += 16) {
      for (offset = 0; offset < 17; offset += 3) compare_signs(n, offset, kind);
    }
    for (n = 32; n <= 2048 && kind != 4; n += 32) { /* never NaN */
      for (offset = 0; offset < 32; offset++) compare_least(n, offset, kind);
    }
  }
}

int main(int argc, char **argv) {
  int i, n_found = 0;
  for (i = 0; i < N_ROOMS; i++) {
    rooms[i] =
        mmap(NULL, ROOM + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (rooms[i] == MAP_FAILED || mprotect(rooms[i] + ROOM, 65536, PROT_NONE) != 0) return 2;
  }
  plain = ann_kernels_named("portable");
  for (i = 1; (tested = ann_kernels_at(i)) != NULL; i++) {
    int j;
    n_compared = 0;
    compare_all();
    for (j = 1; j < argc; j++) n_found += strcmp(argv[j], tested->name) == 0;
    printf("%s: the portable kernels' bits in %ld comparisons\n", tested->name, n_compared);
  }
  if (n_found != argc - 1) fprintf(stderr, "not all of those named as arguments are here\n");
  return n_found != argc - 1;
}
