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

// Vector v of a term's 32 weights; of bf16 weights the first half of the vectors are the words' lower halves.
INLINE vfloat load_weights(const enum ffn_type type, const char *w, int v) {
  if (type == FFN_F32) return load((const float *)w + v * LANES);
  vint words = __builtin_bit_cast(vint, load((const float *)w + v % (PANEL_VECTORS / 2) * LANES));
  return __builtin_bit_cast(vfloat, v < PANEL_VECTORS / 2 ? words << 16 : words & (vint)(int32_t)0xFFFF0000);
}

INLINE void vector_tile(
    const enum ffn_type type, const int rows, const float *x, const char *w, size_t terms, float *totals, int first,
    const char *ahead, size_t ahead_step) {
  vfloat sums[PANEL_VECTORS][TILE_ROWS];
  UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
    UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = splat(0.0f);
  }
  for (size_t k = 0; k < terms; k++, w += ffn_term_bytes(type), ahead += ahead_step) {
    __builtin_prefetch(ahead, 0, 2);
    if (type == FFN_F32) __builtin_prefetch(ahead + 64, 0, 2);
    // Whichever of the two is shorter stays in registers, the other passes through one.
    if (rows <= PANEL_VECTORS) {
      vfloat inputs[TILE_ROWS];
      UNROLLED for (int r = 0; r < rows; r++) inputs[r] = splat(x[r * FFN_BLOCK_STRIDE + k]);
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
        vfloat weights = load_weights(type, w, v);
        UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = multiply_add(inputs[r], weights, sums[v][r]);
      }
    } else {
      vfloat weights[PANEL_VECTORS];
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) weights[v] = load_weights(type, w, v);
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

#define TILE(ROWS)                                                                                                     \
  static void f32_tile_##ROWS(                                                                                         \
      const float *x, const char *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {   \
    vector_tile(FFN_F32, ROWS, x, w, terms, totals, first, ahead, ahead_step);                                         \
  }                                                                                                                    \
  static void bf16_tile_##ROWS(                                                                                        \
      const float *x, const char *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {   \
    vector_tile(FFN_BF16, ROWS, x, w, terms, totals, first, ahead, ahead_step);                                        \
  }
