// Weights to bytes and nibbles, in vectors of four that every processor has, and to the same bits everywhere.

#define LANES 4

#include "PackingIntegers.h"
#include "Quantisation.h"

void ffn_pack_int8_column(float *values, size_t terms, size_t column, uint32_t *panel) {
  rotate_block(values, values, terms);
  size_t padded = ffn_ceil_div(terms, LANES) * LANES;
  for (size_t k = terms; k < padded; k++) values[k] = 0;
  float factor, scale = byte_scale(largest_magnitude_bits(values, padded), &factor);
  panel[column] = __builtin_bit_cast(uint32_t, scale);
  uint32_t *words = panel + FFN_PANEL_COLUMNS + column;
  for (size_t k = 0; k < padded; k += LANES, words += FFN_PANEL_COLUMNS) {
    vint q = factor == 0 ? (vint)0 : nearest_integers(load(values + k) * splat(factor));
    q += 128;
    *words = (uint32_t)(q[0] | q[1] << 8 | q[2] << 16) | (uint32_t)q[3] << 24;
  }
}

// A group of 32 weights on the grid of one scale, −8 … 7 times.
struct nibble_group {
  float scale; // a bf16
  float error; // Σ (w − scale·q)²
  int8_t q[FFN_QUANTISATION_TERMS];
};

static struct nibble_group quantise_group(const float *w, float scale) {
  struct nibble_group group = {.scale = round_to_bf16(splat(scale))[0]};
  vfloat squares = splat(0.0f), inverse = splat(1.0f / group.scale);
  for (size_t k = 0; k < FFN_QUANTISATION_TERMS; k += LANES) {
    vfloat weights = load(w + k);
    vint q = nearest_integers(weights * inverse);
    q = q > 7 ? (vint)7 : q;
    q = q < -8 ? (vint)-8 : q;
    vfloat error = weights - __builtin_convertvector(q, vfloat) * splat(group.scale);
    squares += error * error;
    for (int lane = 0; lane < LANES; lane++) group.q[k + (size_t)lane] = (int8_t)q[lane];
  }
  group.error = (squares[0] + squares[1]) + (squares[2] + squares[3]);
  return group;
}

// The best of the grids on which the largest weight comes to lie at or near the end that reaches further, −8.
static struct nibble_group best_group(const float *w) {
  static const float places[] = {-8.0f, -7.3f, -8.7f};
  struct nibble_group best = {0};
  int32_t largest_bits = largest_magnitude_bits(w, FFN_QUANTISATION_TERMS);
  if (largest_bits >= 0x7F800000) best.scale = __builtin_nanf("");
  if (largest_bits >= 0x7F800000 || __builtin_bit_cast(float, largest_bits) < 0x1p-100f) return best;
  float largest = 0;
  for (size_t k = 0; k < FFN_QUANTISATION_TERMS; k++) {
    if ((__builtin_bit_cast(int32_t, w[k]) & 0x7FFFFFFF) == largest_bits) largest = w[k];
  }
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct nibble_group group = quantise_group(w, largest / places[i]);
    if (i == 0 || group.error < best.error) best = group;
  }
  return best;
}

void ffn_pack_int4_column(float *values, size_t terms, size_t column, uint32_t *panel) {
  rotate_block(values, values, terms);
  size_t groups = ffn_ceil_div(terms, FFN_QUANTISATION_TERMS);
  for (size_t k = terms; k < groups * FFN_QUANTISATION_TERMS; k++) values[k] = 0;
  for (size_t g = 0; g < groups; g++, panel += ffn_step_words(FFN_INT4)) {
    struct nibble_group group = best_group(values + g * FFN_QUANTISATION_TERMS);
    for (size_t i = 0; i < 4; i++) {
      uint32_t word = 0;
      for (size_t k = 0; k < 8; k++) word |= (uint32_t)(group.q[8 * i + k] + 8) << (k % 4 * 8 + k / 4 * 4);
      panel[i * FFN_PANEL_COLUMNS + column] = word;
    }
    uint16_t *scales = (uint16_t *)(panel + 4 * FFN_PANEL_COLUMNS + column % 16);
    scales[column / 16] = (uint16_t)(__builtin_bit_cast(uint32_t, group.scale) >> 16);
  }
}
