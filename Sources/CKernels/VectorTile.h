#pragma once

// The register tile of the vector kernel sets: the including file defines LANES and TILE_ROWS.
//
//   totals[p][row][32] (+)= Σ_k x[row][k]·w[p][k][32]    rows · width ≤ TILE_ROWS
//
// Every sum is one chain of fused multiply–adds in a register of its own. One term costs rows broadcasts and
// 32/LANES·width loads for 32/LANES·width·rows multiply–adds.

#include "GateMath.h"

enum { PANEL_VECTORS = FFN_PANEL_COLUMNS / LANES };

#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE void vector_tile(
    const int width, const int rows, const float *x, const float *w, size_t w_step, size_t terms, float *totals,
    size_t totals_step, int first, const char *ahead, size_t ahead_step) {
  const int vectors = width * PANEL_VECTORS;
  vfloat sums[TILE_ROWS * PANEL_VECTORS]; // [vectors][rows]
  UNROLLED for (int i = 0; i < vectors * rows; i++) sums[i] = splat(0.0f);
  for (size_t k = 0; k < terms; k++, w += FFN_PANEL_COLUMNS, ahead += ahead_step) {
    UNROLLED for (int p = 0; p < 2 * width; p++) __builtin_prefetch(ahead + p * 64, 0, 2);
    // Whichever of the two is shorter stays in registers, the other passes through one.
    if (rows <= vectors) {
      vfloat inputs[TILE_ROWS];
      UNROLLED for (int r = 0; r < rows; r++) inputs[r] = splat(x[r * FFN_BLOCK_STRIDE + k]);
      UNROLLED for (int v = 0; v < vectors; v++) {
        vfloat weights = load(w + v / PANEL_VECTORS * w_step + v % PANEL_VECTORS * LANES);
        vfloat *sum = sums + v * rows;
        UNROLLED for (int r = 0; r < rows; r++) sum[r] = multiply_add(inputs[r], weights, sum[r]);
      }
    } else {
      vfloat weights[TILE_ROWS];
      UNROLLED for (int v = 0; v < vectors; v++) {
        weights[v] = load(w + v / PANEL_VECTORS * w_step + v % PANEL_VECTORS * LANES);
      }
      UNROLLED for (int r = 0; r < rows; r++) {
        vfloat input = splat(x[r * FFN_BLOCK_STRIDE + k]);
        UNROLLED for (int v = 0; v < vectors; v++) {
          sums[v * rows + r] = multiply_add(input, weights[v], sums[v * rows + r]);
        }
      }
    }
  }
  UNROLLED for (int v = 0; v < vectors; v++) {
    UNROLLED for (int r = 0; r < rows; r++) {
      float *total = totals + v / PANEL_VECTORS * totals_step + r * FFN_PANEL_COLUMNS + v % PANEL_VECTORS * LANES;
      vfloat sum = sums[v * rows + r];
      store(total, first ? sum : load(total) + sum);
    }
  }
}

typedef void tile_function(
    const float *x, const float *w, size_t w_step, size_t terms, float *totals, size_t totals_step, int first,
    const char *ahead, size_t ahead_step);

#define TILE(WIDTH, ROWS)                                                                                              \
  static void tile_##WIDTH##x##ROWS(                                                                                   \
      const float *x, const float *w, size_t w_step, size_t terms, float *totals, size_t totals_step, int first,      \
      const char *ahead, size_t ahead_step) {                                                                          \
    vector_tile(WIDTH, ROWS, x, w, w_step, terms, totals, totals_step, first, ahead, ahead_step);                      \
  }
