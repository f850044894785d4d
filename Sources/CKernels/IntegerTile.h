#pragma once

// The register tiles of integer arithmetic: the including file defines LANES, INT8_TILE_ROWS and INT4_TILE_ROWS, the
// most rows of a tile, and
//
//   dot(sum, weights, inputs)   sum[i] + the four products of the unsigned bytes of weights[i] with the signed ones of
//                               inputs[i], exact
//
//   totals[row][32] (+)= (Σ_k q[row][k]·w[k][32])·(σ[row]·τ[32])          int8, over the terms of one block
//   totals[row][32] (+)= Σ_g (Σ_k q[row][k]·w[k][32])·τ[g][32] · σ[row]   int4, over its groups of 32 terms
//
// Weights are unsigned, w + 128 or w + 8: each sum of products starts from the row's offset, which takes that away.

#include "Quantisation.h"
#include "Tile.h"

#include <string.h>

typedef float hidden_element;
INLINE void store_elements(float *y, vfloat x) { store(y, x); }

enum { ROW_STRIDE = FFN_BYTE_BLOCK_STRIDE, PANEL_VECTORS = FFN_PANEL_COLUMNS / LANES, LINE_WORDS = 16 };

INLINE vint load_words(const uint32_t *w) { return __builtin_bit_cast(vint, load((const float *)w)); }

// Terms 4j … 4j + 3 of a row, in every lane.
INLINE vint splat_terms(const row_element *x, size_t j) {
  int32_t word;
  memcpy(&word, x + 4 * j, sizeof word);
  return (vint)word;
}

INLINE const struct ffn_byte_block *byte_block(const row_element *x, int row) {
  return (const struct ffn_byte_block *)(x + row * ROW_STRIDE);
}

// Adds a block's sums to the totals, or sets them.
INLINE void add_block(vfloat sum, vfloat scale, float *total, int first) {
  store(total, first ? sum * scale : multiply_add(sum, scale, load(total)));
}

// Prefetches a cache line. A single row reads the panels as one stream, which has to reach the first level; more
// rows come back to a panel, which has to be in the second.
INLINE void fetch(const int rows, const uint32_t *w, const char *ahead) {
  if (rows == 1) {
    __builtin_prefetch((const char *)w + 8192, 0, 3);
  } else {
    __builtin_prefetch(ahead, 0, 2);
  }
}

INLINE void int8_tile(
    const int rows, const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  // Few rows leave most registers free: more sums side by side hide what one dot product takes.
  enum { CHAINS_MAX = 4 };
  const int chains = rows == 1 ? 4 : rows <= 3 ? 2 : 1;
  const uint32_t *scales = w;
  w += FFN_PANEL_COLUMNS;
  vint sums[CHAINS_MAX][INT8_TILE_ROWS][PANEL_VECTORS];
  UNROLLED for (int chain = 0; chain < chains; chain++) {
    UNROLLED for (int r = 0; r < rows; r++) {
      vint start = (vint)(chain == 0 ? byte_block(x, r)->byte_offset : 0);
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) sums[chain][r][v] = start;
    }
  }
  size_t steps = ffn_ceil_div(terms, 4), j = 0;
  for (; j + (size_t)chains <= steps; j += (size_t)chains) {
    UNROLLED for (int chain = 0; chain < chains; chain++, w += FFN_PANEL_COLUMNS, ahead += ahead_step) {
      fetch(rows, w, ahead);
      fetch(rows, w + LINE_WORDS, ahead + 64);
      vint weights[PANEL_VECTORS];
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) weights[v] = load_words(w + v * LANES);
      UNROLLED for (int r = 0; r < rows; r++) {
        vint inputs = splat_terms(x + r * ROW_STRIDE, j + (size_t)chain);
        UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
          sums[chain][r][v] = dot(sums[chain][r][v], weights[v], inputs);
        }
      }
    }
  }
  for (; chains > 1 && j < steps; j++, w += FFN_PANEL_COLUMNS) {
    UNROLLED for (int r = 0; r < rows; r++) {
      vint inputs = splat_terms(x + r * ROW_STRIDE, j);
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
        sums[0][r][v] = dot(sums[0][r][v], load_words(w + v * LANES), inputs);
      }
    }
  }
  UNROLLED for (int r = 0; r < rows; r++) {
    vfloat row_scale = splat(byte_block(x, r)->scale);
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      UNROLLED for (int chain = 1; chain < chains; chain++) sums[0][r][v] += sums[chain][r][v];
      vfloat scale = row_scale * load((const float *)scales + v * LANES);
      vfloat sum = __builtin_convertvector(sums[0][r][v], vfloat);
      add_block(sum, scale, totals + r * FFN_PANEL_COLUMNS + v * LANES, first);
    }
  }
}

INLINE void int4_tile(
    const int rows, const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  vfloat block_sums[INT4_TILE_ROWS][PANEL_VECTORS];
  UNROLLED for (int r = 0; r < rows; r++) {
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) block_sums[r][v] = splat(0.0f);
  }
  size_t groups = ffn_ceil_div(terms, FFN_QUANTISATION_TERMS);
  for (size_t group = 0; group < groups; group++, ahead += ahead_step) {
    size_t fetched = rows == 1 ? 9 * 64 : ahead_step; // a step has 9 lines
    for (size_t i = 0; i < fetched; i += 64) fetch(rows, w + i / sizeof *w, ahead + i);
    // Two sums side by side for a single row: they hide what one dot product takes.
    const int last = rows == 1 ? 1 : 0;
    vint sums[2][INT4_TILE_ROWS][PANEL_VECTORS];
    UNROLLED for (int r = 0; r < rows; r++) {
      vint start = (vint)(int32_t)byte_block(x, r)->nibble_offsets[group];
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
        sums[last][r][v] = (vint)0;
        sums[0][r][v] = start;
      }
    }
    UNROLLED for (int i = 0; i < 4; i++, w += FFN_PANEL_COLUMNS) {
      vint low[PANEL_VECTORS], high[PANEL_VECTORS];
      UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
        vint words = load_words(w + v * LANES);
        low[v] = words & 0x0F0F0F0F;
        high[v] = words >> 4 & 0x0F0F0F0F;
      }
      UNROLLED for (int r = 0; r < rows; r++) {
        vint earlier = splat_terms(x + r * ROW_STRIDE, group * 8 + 2 * (size_t)i);
        vint later = splat_terms(x + r * ROW_STRIDE, group * 8 + 2 * (size_t)i + 1);
        UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
          sums[0][r][v] = dot(sums[0][r][v], low[v], earlier);
          sums[last][r][v] = dot(sums[last][r][v], high[v], later);
        }
      }
    }
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      vint words = load_words(w + v % (PANEL_VECTORS / 2) * LANES);
      vfloat scale = __builtin_bit_cast(vfloat, v < PANEL_VECTORS / 2 ? words << 16 : words & (vint)(int32_t)0xFFFF0000);
      UNROLLED for (int r = 0; r < rows; r++) {
        vint sum = last ? sums[0][r][v] + sums[last][r][v] : sums[0][r][v];
        block_sums[r][v] = multiply_add(__builtin_convertvector(sum, vfloat), scale, block_sums[r][v]);
      }
    }
    w += FFN_PANEL_COLUMNS / 2;
  }
  UNROLLED for (int r = 0; r < rows; r++) {
    vfloat scale = splat(byte_block(x, r)->scale);
    UNROLLED for (int v = 0; v < PANEL_VECTORS; v++) {
      add_block(block_sums[r][v], scale, totals + r * FFN_PANEL_COLUMNS + v * LANES, first);
    }
  }
}

#define INTEGER_TILE(TYPE, ROWS)                                                                                       \
  static void TYPE##_tile_##ROWS(                                                                                      \
      const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,              \
      size_t ahead_step) {                                                                                             \
    TYPE##_tile(ROWS, x, w, terms, totals, first, ahead, ahead_step);                                                  \
  }
