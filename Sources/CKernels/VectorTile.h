#pragma once

// The register tile of the vector kernel sets in float32 arithmetic: the including file defines LANES and TILE_ROWS.
//
//   totals[row][32] (+)= Σ_k x[row][k]·w[k][32]    rows ≤ TILE_ROWS
//
// Every sum is one chain of fused multiply–adds in a register of its own. One term costs `rows` broadcasts and
// 32/LANES loads for 32/LANES·rows multiply–adds. A single row may take two panels at once, for twice the chains.

typedef float row_element;
typedef float hidden_element;

#include "Tile.h"

INLINE void store_elements(float *y, vfloat x) { store(y, x); }

enum { ROW_STRIDE = FFN_BLOCK_STRIDE, PANEL_VECTORS = FFN_PANEL_COLUMNS / LANES };

// Which weights of a step's words: all of a float32 panel, the earlier or the later term's of a bf16 panel.
enum part { WHOLE, EARLIER, LATER };

INLINE vfloat load_weights(const enum part part, const uint32_t *w) {
  vint words = __builtin_bit_cast(vint, load((const float *)w));
  if (part == LATER) {
#if defined(__x86_64__)
    // Two shifts, not a mask: AVX2 has no register left for one.
    words = words >> 16;
    __asm__("" : "+v"(words));
    words = words << 16;
#else
    words = words & ~0xFFFF;
#endif
  }
  return __builtin_bit_cast(vfloat, part == EARLIER ? words << 16 : words);
}

// sums[v][r] += x[r]·w[v]; x points at one term of the first row.
INLINE void add_term(
    const enum part part, const int rows, const float *x, const uint32_t *w, vfloat (*sums)[TILE_ROWS]) {
  // Whichever of the two is shorter stays in registers, the other passes through one.
  if (rows <= PANEL_VECTORS) {
    vfloat inputs[TILE_ROWS];
    UNROLLED for (int r = 0; r < rows; r++) inputs[r] = splat(x[r * FFN_BLOCK_STRIDE]);
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      vfloat weights = load_weights(part, w + v * LANES);
      UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = multiply_add(inputs[r], weights, sums[v][r]);
    }
  } else {
    vfloat weights[PANEL_VECTORS];
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) weights[v] = load_weights(part, w + v * LANES);
    UNROLLED for (int r = 0; r < rows; r++) {
      vfloat input = splat(x[r * FFN_BLOCK_STRIDE]);
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) sums[v][r] = multiply_add(input, weights[v], sums[v][r]);
    }
  }
}

INLINE void vector_tile(
    const enum ffn_type type, const int rows, const float *x, const uint32_t *w, size_t terms, float *totals, int first,
    const char *ahead, size_t ahead_step) {
  vfloat sums[PANEL_VECTORS][TILE_ROWS];
  UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
    UNROLLED for (int r = 0; r < rows; r++) sums[v][r] = splat(0.0f);
  }
  const int step_terms = type == FFN_BF16 ? 2 : 1;
  size_t k = 0;
  for (; k + step_terms <= terms; k += step_terms, w += FFN_PANEL_COLUMNS, ahead += ahead_step) {
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64, 0, 2);
    add_term(type == FFN_BF16 ? EARLIER : WHOLE, rows, x + k, w, sums);
    if (type == FFN_BF16) {
      __asm__ volatile("" ::: "memory"); // load the words again: no register is left to keep them in
      add_term(LATER, rows, x + k + 1, w, sums);
    }
  }
  if (type == FFN_BF16 && k < terms) add_term(EARLIER, rows, x + k, w, sums);
  UNROLLED for (int r = 0; r < rows; r++) {
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      float *total = totals + r * FFN_PANEL_COLUMNS + v * LANES;
      store(total, first ? sums[v][r] : load(total) + sums[v][r]);
    }
  }
}

// totals[p][32] (+)= Σ_k x[k]·w[p][k][32] for one row and two panels, one block after the other.
INLINE void two_panels(
    const enum ffn_type type, const float *x, const uint32_t *w, size_t terms, float *totals, int first,
    const char *ahead, size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  const size_t step_terms = type == FFN_BF16 ? 2 : 1;
  const uint32_t *second = w + ffn_ceil_div(terms, step_terms) * FFN_PANEL_COLUMNS;
  vfloat sums[2][PANEL_VECTORS][TILE_ROWS];
  UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) sums[0][v][0] = sums[1][v][0] = splat(0.0f);
  for (size_t k = 0; k < terms; k += step_terms, w += FFN_PANEL_COLUMNS, second += FFN_PANEL_COLUMNS) {
    // Each stream to the first level: what comes from a cache is there in time.
    UNROLLED for (int line = 0; line < 2; line++) {
      __builtin_prefetch((const char *)w + 2048 + line * 64, 0, 3);
      __builtin_prefetch((const char *)second + 2048 + line * 64, 0, 3);
    }
    add_term(type == FFN_BF16 ? EARLIER : WHOLE, 1, x + k, w, sums[0]);
    add_term(type == FFN_BF16 ? EARLIER : WHOLE, 1, x + k, second, sums[1]);
    if (type == FFN_BF16 && k + 1 < terms) {
      add_term(LATER, 1, x + k + 1, w, sums[0]);
      add_term(LATER, 1, x + k + 1, second, sums[1]);
    }
  }
  UNROLLED for (int v = 0; v < 2 * PANEL_VECTORS; v++) {
    float *total = totals + v * LANES;
    vfloat sum = sums[v / PANEL_VECTORS][v % PANEL_VECTORS][0];
    store(total, first ? sum : load(total) + sum);
  }
}

static void f32_two_panels(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  two_panels(FFN_F32, x, w, terms, totals, first, ahead, ahead_step);
}

static void bf16_two_panels(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  two_panels(FFN_BF16, x, w, terms, totals, first, ahead, ahead_step);
}

#define TILE(ROWS)                                                                                                     \
  static void f32_tile_##ROWS(                                                                                         \
      const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,                    \
      size_t ahead_step) {                                                                                             \
    vector_tile(FFN_F32, ROWS, x, w, terms, totals, first, ahead, ahead_step);                                         \
  }                                                                                                                    \
  static void bf16_tile_##ROWS(                                                                                        \
      const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,                    \
      size_t ahead_step) {                                                                                             \
    vector_tile(FFN_BF16, ROWS, x, w, terms, totals, first, ahead, ahead_step);                                        \
  }
