#pragma once

#include <stdbool.h>
#include <stdint.h>

// The shortest decimals of eight floats at a time, in the lanes of AVX-512: Schubfach (Raffaello Giulietti, 2020) over
// binary32, step by step as `ShortestDecimal` and `NineDigits` of TensorCoding have it for one float. The same digits.

/// Floats at a time.
enum { cdecimals_lanes = 8 };

/// Eight decimals `first`.`rest` · 10^`scale`, and the characters of those whose scale is −4 to 0.
typedef struct {
  /// The eight digits behind the first, the leftmost in the lowest byte.
  uint64_t rest[cdecimals_lanes];
  /// The first digit in bits 0 to 7, the number of digits before the zeros at the end in 8 to 15, and from 16 on the
  /// scale, with its sign.
  int64_t form[cdecimals_lanes];
  /// The characters: the digit before the point and the point (in the lowest two bytes), the eight behind it, and the
  /// next ones; and how many of them belong to the number. Those that follow are zeros.
  uint16_t head[cdecimals_lanes];
  uint64_t tail[cdecimals_lanes];
  uint64_t further[cdecimals_lanes];
  uint64_t length[cdecimals_lanes];
} cdecimals_eight;

/// Which of the lanes are computed, a bit for each.
typedef struct {
  /// Not zeros, subnormal floats, powers of two, infinities or NaNs.
  uint8_t decimals;
  /// Those of them that have characters.
  uint8_t characters;
} cdecimals_done;

/// Whether this processor computes them.
bool cdecimals_available(void);

/// Writes the decimals of the magnitudes of `floats[0 … 7]`.
///
/// `scaled` points at ⌊10^e · 2^(63 − ⌊log2 10^e⌋)⌋ + 1 for e = 0 and has the neighbours from −31 to 45 around it.
cdecimals_done cdecimals_shortest(const float *floats, const uint64_t *scaled, cdecimals_eight *decimals);
