#pragma once

// The register tile in bf16 arithmetic, where the processor multiplies pairs: the including file defines TILE_ROWS.
//
//   totals[row][32] (+)= Σ_j x[row][2j]·w[2j][32] + x[row][2j+1]·w[2j+1][32]    rows ≤ TILE_ROWS
//
// Every sum is one chain of vdpbf16ps in a register of its own. A step costs `rows` broadcasts of a pair and two loads
// for 2·rows instructions.

typedef uint16_t row_element;
typedef uint16_t hidden_element;

enum { ROW_STRIDE = FFN_BLOCK_STRIDE };

#include "Tile.h"

typedef __bf16 vpairs __attribute__((ext_vector_type(32)));

INLINE void store_elements(uint16_t *y, vfloat x) {
  typedef uint16_t vhalves __attribute__((ext_vector_type(LANES), aligned(2)));
  typedef uint32_t vwords __attribute__((ext_vector_type(LANES)));
  *(vhalves *)y = __builtin_convertvector(__builtin_bit_cast(vwords, x) >> 16, vhalves);
}

// sum + x·w, pair by pair; subnormals count as zero.
INLINE vfloat dot_add(vint x, vint w, vfloat sum) {
  return __builtin_ia32_dpbf16ps_512(sum, __builtin_bit_cast(vpairs, x), __builtin_bit_cast(vpairs, w));
}

INLINE void dot_tile(
    const int rows, const uint16_t *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  vfloat sums[TILE_ROWS][2];
  UNROLLED for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = splat(0.0f);
  const uint32_t *pairs = (const uint32_t *)x; // an odd last term is paired with a zero
  for (size_t j = 0; 2 * j < terms; j++, w += FFN_PANEL_COLUMNS, ahead += ahead_step) {
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64, 0, 2);
    vint low = __builtin_bit_cast(vint, load((const float *)w));
    vint high = __builtin_bit_cast(vint, load((const float *)w + LANES));
    UNROLLED for (int r = 0; r < rows; r++) {
      vint input = (vint)(int32_t)pairs[r * (FFN_BLOCK_STRIDE / 2) + j];
      sums[r][0] = dot_add(input, low, sums[r][0]);
      sums[r][1] = dot_add(input, high, sums[r][1]);
    }
  }
  UNROLLED for (int r = 0; r < rows; r++) {
    UNROLLED for (int v = 0; v < 2; v++) {
      float *total = totals + r * FFN_PANEL_COLUMNS + v * LANES;
      store(total, first ? sums[r][v] : load(total) + sums[r][v]);
    }
  }
}

// totals[p][32] (+)= Σ_k x[k]·w[p][k][32] for one row and two panels, one block after the other: twice the chains, which
// the third-level cache would outrun otherwise.
static void bf16_two_panels(
    const uint16_t *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  const uint32_t *pairs = (const uint32_t *)x, *second = w + ffn_ceil_div(terms, 2) * FFN_PANEL_COLUMNS;
  vfloat sums[4];
  UNROLLED for (int v = 0; v < 4; v++) sums[v] = splat(0.0f);
  for (size_t j = 0; 2 * j < terms; j++, w += FFN_PANEL_COLUMNS, second += FFN_PANEL_COLUMNS) {
    // Each stream to the first level: what comes from a cache is there in time.
    UNROLLED for (int line = 0; line < 2; line++) {
      __builtin_prefetch((const char *)w + 2048 + line * 64, 0, 3);
      __builtin_prefetch((const char *)second + 2048 + line * 64, 0, 3);
    }
    vint input = (vint)(int32_t)pairs[j];
    UNROLLED for (int v = 0; v < 4; v++) {
      const uint32_t *words = (v < 2 ? w : second) + v % 2 * LANES;
      sums[v] = dot_add(input, __builtin_bit_cast(vint, load((const float *)words)), sums[v]);
    }
  }
  UNROLLED for (int v = 0; v < 4; v++) store(totals + v * LANES, first ? sums[v] : load(totals + v * LANES) + sums[v]);
}

#define TILE(ROWS)                                                                                                     \
  static void dot_tile_##ROWS(                                                                                         \
      const uint16_t *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,                 \
      size_t ahead_step) {                                                                                             \
    dot_tile(ROWS, x, w, terms, totals, first, ahead, ahead_step);                                                     \
  }
