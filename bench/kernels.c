/* kernels.c -- nanoseconds of each kernel of core/kernel.h, for each implementation that this CPU has: `make
** bench-kernels`.  Everything is in the nearest cache; the best of 400 runs counts, and the implementations take
** turns.  Argument: the rotated length, 384 when there is none. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/kernel.h"

#define RUNS 400
#define CALLS 200
#define MAX_LENGTH 1024
#define N_KERNELS 15

static float a[MAX_LENGTH], b[MAX_LENGTH], x[MAX_LENGTH], estimates[ANN_BLOCK];
static int8_t c[MAX_LENGTH], d[MAX_LENGTH];
static uint16_t halves[MAX_LENGTH];
static uint8_t codes[4 * MAX_LENGTH], lut[4 * MAX_LENGTH], filled[4 * MAX_LENGTH];
static float corrections[2 * ANN_BLOCK];
static uint32_t sums[ANN_BLOCK];
static volatile float sink;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void call(const AnnKernels *kernels, int which, size_t n) {
  static const AnnLine line = {0.01f, 0.5f, 0.3f, 2.0f};
  switch (which) {
  case 0: kernels->scan(codes, lut, n / 4, sums); break;
  case 1: sink = kernels->dot(a, b, n); break;
  case 2: sink = kernels->l2(a, b, n); break;
  case 3: sink = kernels->dot_i8(a, c, n); break;
  case 4:
    sink = (float)kernels->estimate(sums, (uint8_t *)corrections, &line, estimates);
    break;
  case 5: sink = (float)kernels->least(a, 128); break;
  case 6: kernels->hadamard(x, 512); break; /* of zeros: they stay in range */
  case 7: kernels->fill(a, n / 4, 10.0f, filled); break;
  case 8: sink = kernels->sums->of[ANN_ROW_FLOAT16].dot(a, halves, n); break;
  case 9: sink = kernels->sums->of[ANN_ROW_BFLOAT16].dot(a, halves, n); break;
  case 10: sink = kernels->sums->of[ANN_ROW_INT8].dot(a, c, n); break;
  case 11: sink = (float)kernels->sums->int8_dot(c, d, n); break;
  case 12: sink = (float)kernels->sums->int8_l2(c, d, n); break;
  case 13: sink = (float)kernels->sums->int8_l1(c, d, n); break;
  default: sink = (float)kernels->sums->differing(codes, lut, n / 8);
  }
}

static double one_run(const AnnKernels *kernels, int which, size_t n) {
  double begun = now();
  int i;
  for (i = 0; i < CALLS; i++) call(kernels, which, n);
  return (now() - begun) / CALLS;
}

int main(int argc, char **argv) {
  size_t n = argc > 1 ? (size_t)atoi(argv[1]) : 384, i;
  double best[8][N_KERNELS];
  const AnnKernels *kernels;
  int run, k, w;
  if (n < 16 || n > MAX_LENGTH) return 1;
  for (i = 0; i < MAX_LENGTH; i++) {
    a[i] = (float)(rand() % 1000) / 500 - 1;
    b[i] = (float)(rand() % 1000) / 500 - 1;
    c[i] = (int8_t)rand();
    d[i] = (int8_t)rand();
    halves[i] = (uint16_t)(0x3c00 + rand() % 512); /* from 1 to 1.5 as float16 */
  }
  for (i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)rand(), lut[i] = (uint8_t)rand();
  for (k = 0; k < 8; k++) {
    for (w = 0; w < N_KERNELS; w++) best[k][w] = 1e18;
  }
  for (run = 0; run < RUNS; run++) {
    for (k = 0; (kernels = ann_kernels_at(k)) != NULL; k++) {
      for (w = 0; w < N_KERNELS; w++) {
        double took = one_run(kernels, w, n);
        if (took < best[k][w]) best[k][w] = took;
      }
    }
  }
  printf("%-12s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "ns",
         "scan/code", "dot", "l2", "dot_i8", "estimate", "least128", "had.512", "fill",
         "float16", "bfloat16", "q.int8", "int8 dot", "int8 l2", "int8 l1", "hamming");
  for (k = 0; (kernels = ann_kernels_at(k)) != NULL; k++) {
    printf("%-12s", kernels->name);
    for (w = 0; w < N_KERNELS; w++) printf(" %9.1f", best[k][w] / (w == 0 ? ANN_BLOCK : 1));
    printf("\n");
  }
  return 0;
}
