#pragma once

// The register tile of the vector kernel sets: the including file defines LANES and TILE_ROWS.
//
//   totals[row][32] (+)= Σ_k x[row][k]·w[k][32]    rows ≤ TILE_ROWS
//
// Every sum is one chain of fused multiply–adds in a register of its own. One term costs `rows` broadcasts and
// 32/LANES loads for 32/LANES·rows multiply–adds. One panel at a time, even for a single row: one stream from memory
// is faster than several, and 32/LANES chains of latency 4 still outrun the third-level cache.

#include "GateMath.h"

enum { PANEL_VECTORS = FFN_PANEL_COLUMNS / LANES };

#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE void vector_tile(
    const int rows, const float *x, const float *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  vfloat sums[PANEL_VECTORS][TILE_ROWS];
  UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
    UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = splat(0.0f);
  }
  for (size_t k = 0; k < terms; k++, w += FFN_PANEL_COLUMNS, ahead += ahead_step) {
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64, 0, 2);
    // Whichever of the two is shorter stays in registers, the other passes through one.
    if (rows <= PANEL_VECTORS) {
      vfloat inputs[TILE_ROWS];
      UNROLLED for (int r = 0; r < rows; r++) inputs[r] = splat(x[r * FFN_BLOCK_STRIDE + k]);
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
        vfloat weights = load(w + v * LANES);
        UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = multiply_add(inputs[r], weights, sums[v][r]);
      }
    } else {
      vfloat weights[PANEL_VECTORS];
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) weights[v] = load(w + v * LANES);
      UNROLLED for (int r = 0; r < rows; r++) {
        vfloat input = splat(x[r * FFN_BLOCK_STRIDE + k]);
        UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) sums[v][r] = multiply_add(input, weights[v], sums[v][r]);
      }
    }
  }
  UNROLLED for (int r = 0; r < rows; r++) {
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      float *total = totals + r * FFN_PANEL_COLUMNS + v * LANES;
      store(total, first ? sums[v][r] : load(total) + sums[v][r]);
    }
  }
}

typedef void tile_function(
    const float *x, const float *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step);

#define TILE(ROWS)                                                                                                     \
  static void tile_##ROWS(                                                                                             \
      const float *x, const float *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {  \
    vector_tile(ROWS, x, w, terms, totals, first, ahead, ahead_step);                                                  \
  }
