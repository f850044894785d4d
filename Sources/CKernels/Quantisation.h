#pragma once

// float32 to small integers with a scale: the including file defines LANES. Only sums, products and comparisons of
// float32, so every kernel set returns the same numbers.

#include "Rotation.h"

// The largest |x[i]| as bits, which order like magnitudes, infinities after all numbers and NaN last. `count` is a
// multiple of 16, or the rest is zeros up to one.
INLINE int32_t largest_magnitude_bits(const float *x, size_t count) {
  vint most = {0};
  for (size_t i = 0; i < count; i += LANES) {
    vint bits = __builtin_bit_cast(vint, load(x + i)) & 0x7FFFFFFF;
    most = bits > most ? bits : most;
  }
  int32_t largest = 0;
  for (int lane = 0; lane < LANES; lane++) largest = most[lane] > largest ? most[lane] : largest;
  return largest;
}

// The nearest integers to x, ties to even, |x| < 2²².
INLINE vint nearest_integers(vfloat x) {
  return __builtin_bit_cast(vint, x + splat(0x1.8p23f)) - (vint)0x4B400000;
}

// m/127, and by way of `factor` 127/m, for the largest magnitude m of a block, given as bits: 0 and 0 below 2⁻¹⁰⁰,
// where 127/m comes near float32's end; NaN and 0 where m is not finite.
INLINE float byte_scale(int32_t largest_bits, float *factor) {
  float largest = __builtin_bit_cast(float, largest_bits);
  *factor = 0;
  if (largest_bits >= 0x7F800000) return __builtin_nanf("");
  if (largest < 0x1p-100f) return 0;
  *factor = 127.0f / largest;
  return largest / 127.0f;
}
