#pragma once

// Weights to bytes and nibbles, in vectors of eight whatever the instruction set, and so to the same bits with each. The
// including file defines LANES as 8.

#include "Quantisation.h"

typedef uint8_t vbytes __attribute__((ext_vector_type(LANES)));

// The lanes' low bytes, the first lane's lowest.
INLINE uint64_t low_bytes(vint x) { return __builtin_bit_cast(uint64_t, __builtin_convertvector(x, vbytes)); }

static void pack_int8_column(float *values, size_t terms, size_t column, uint32_t *panel) {
  rotate_block(values, values, terms);
  size_t padded = ffn_ceil_div(terms, LANES) * LANES;
  for (size_t k = terms; k < padded; k++) values[k] = 0;
  float factor, scale = byte_scale(largest_magnitude_bits(values, padded), &factor);
  panel[column] = __builtin_bit_cast(uint32_t, scale);
  uint32_t *words = panel + FFN_PANEL_COLUMNS + column;
  for (size_t k = 0; k < padded; k += LANES, words += 2 * FFN_PANEL_COLUMNS) {
    vint q = factor == 0 ? (vint)0 : nearest_integers(load(values + k) * splat(factor));
    uint64_t bytes = low_bytes(q + 128);
    words[0] = (uint32_t)bytes;
    if (k + 4 < terms) words[FFN_PANEL_COLUMNS] = (uint32_t)(bytes >> 32);
  }
}

// w on the grid of a scale, given its inverse: the nearest of −8 … 7, ties to even, in the low bits of w/scale + this.
static const float nibble_bias = 0x1.8p23f;
INLINE vfloat biased_nibbles(vfloat w, vfloat inverse) {
  vfloat place = w * inverse;
  place = choose(place > splat(7.0f), splat(7.0f), place);
  place = choose(place < splat(-8.0f), splat(-8.0f), place);
  return place + splat(nibble_bias);
}

// Σ (w − scale·q)² over a group on the grid of `scale`.
INLINE float grid_error(const float *w, float scale) {
  vfloat squares = splat(0.0f), inverse = splat(1.0f / scale);
  UNROLLED for (size_t k = 0; k < FFN_QUANTISATION_TERMS; k += LANES) {
    vfloat weights = load(w + k), q = biased_nibbles(weights, inverse) - splat(nibble_bias);
    vfloat error = weights - q * splat(scale);
    squares += error * error;
  }
  return ((squares[0] + squares[1]) + (squares[2] + squares[3])) +
         ((squares[4] + squares[5]) + (squares[6] + squares[7]));
}

// The last weight of a group whose magnitude has these bits, which one of them has.
INLINE float last_of_magnitude(const float *w, int32_t magnitude_bits) {
  vint found = {0}; // 2·(k + 1), and 1 more below zero
  UNROLLED for (int32_t k = 0; k < FFN_QUANTISATION_TERMS; k += LANES) {
    vint bits = __builtin_bit_cast(vint, load(w + k)), place = (vint){2, 4, 6, 8, 10, 12, 14, 16} + 2 * k;
    found = (bits & 0x7FFFFFFF) == magnitude_bits ? place | ((bits >> 31) & 1) : found;
  }
  int32_t last = 0;
  for (int lane = 0; lane < LANES; lane++) last = found[lane] > last ? found[lane] : last;
  return __builtin_bit_cast(float, last & 1 ? magnitude_bits | INT32_MIN : magnitude_bits);
}

// A group's scale, a bf16: the best of the grids on which the largest weight comes to lie at or near the end that
// reaches further, −8. 0 where all weights count as zeros.
static float best_scale(const float *w) {
  static const float places[] = {-8.0f, -7.3f, -8.7f};
  int32_t largest_bits = largest_magnitude_bits(w, FFN_QUANTISATION_TERMS);
  if (largest_bits >= 0x7F800000) return __builtin_nanf("");
  if (__builtin_bit_cast(float, largest_bits) < 0x1p-100f) return 0;
  float largest = last_of_magnitude(w, largest_bits);
  vfloat best = splat(0.0f), least_error = splat(__builtin_inff());
  UNROLLED for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    vfloat scale = round_to_bf16(splat(largest / places[i])), error = splat(grid_error(w, scale[0]));
    // No branch: nobody could foretell it.
    vint is_better = i == 0 ? (vint)-1 : error < least_error;
    best = choose(is_better, scale, best);
    least_error = choose(is_better, error, least_error);
  }
  return best[0];
}

static void pack_int4_column(float *values, size_t terms, size_t column, uint32_t *panel) {
  rotate_block(values, values, terms);
  size_t groups = ffn_ceil_div(terms, FFN_QUANTISATION_TERMS);
  for (size_t k = terms; k < groups * FFN_QUANTISATION_TERMS; k++) values[k] = 0;
  for (size_t g = 0; g < groups; g++, panel += ffn_step_words(FFN_INT4)) {
    const float *w = values + g * FFN_QUANTISATION_TERMS;
    float scale = best_scale(w);
    int has_grid = scale < 0 || scale > 0;
    vfloat inverse = splat(has_grid ? 1.0f / scale : 0.0f);
    for (size_t i = 0; i < 4; i++) {
      vint nibbles = (vint)8;
      if (has_grid) nibbles += __builtin_bit_cast(vint, biased_nibbles(load(w + 8 * i), inverse));
      uint64_t bytes = low_bytes(nibbles & 0xF);
      panel[i * FFN_PANEL_COLUMNS + column] = (uint32_t)(bytes | bytes >> 28);
    }
    uint16_t *scales = (uint16_t *)(panel + 4 * FFN_PANEL_COLUMNS + column % 16);
    scales[column / 16] = (uint16_t)(__builtin_bit_cast(uint32_t, scale) >> 16);
  }
}
