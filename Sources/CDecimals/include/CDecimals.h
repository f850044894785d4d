#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Decimals eight and more at a time, in the lanes of AVX-512: out of floats the shortest ones, by Schubfach (Raffaello
// Giulietti, 2020) over binary32, step by step as `ShortestDecimal` and `NineDigits` of TensorCoding have it for one
// float, with the same digits; and into floats, as `DecimalScanner` has it for one.

/// Floats at a time.
enum { cdecimals_lanes = 8 };

/// Eight decimals `first`.`rest` · 10^`scale`, and the characters of those whose scale is −4 to 0. To
/// be aligned to 64 bytes: a lane that is read while its register is still on its way into two cache lines has to wait.
typedef struct {
  /// The eight digits behind the first, the leftmost in the lowest byte.
  uint64_t rest[cdecimals_lanes];
  /// The first digit in bits 0 to 7, the number of digits before the zeros at the end in 8 to 15, and from 16 on the
  /// scale, with its sign.
  int64_t form[cdecimals_lanes];
  /// The characters behind the point, the next ones, and how many characters belong to the number in all. Those that
  /// follow are zeros.
  uint64_t tail[cdecimals_lanes];
  uint64_t further[cdecimals_lanes];
  uint64_t length[cdecimals_lanes];
  /// The digit before the point and the point.
  uint16_t head[cdecimals_lanes];
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

/// What was printed: how many floats, and the byte behind the last of them.
typedef struct {
  size_t count;
  uint8_t *behind;
} cdecimals_printed;

/// Whether this processor prints them.
bool cdecimals_prints(void);

/// Prints floats 16 at a time, with commas between them and, if `after_comma` asks for it, in front. It stops before
/// any 16 of which one is not zero, nor of a magnitude from 2⁻¹³ to below 8; the last may be fewer.
///
/// - Parameter text: has room for 17 bytes a float and 80 besides.
cdecimals_printed cdecimals_print(const float *floats, size_t count, bool after_comma, uint8_t *text);

/// What was scanned: how many numbers, and the comma or bracket behind the last of them.
typedef struct {
  size_t count;
  const uint8_t *behind;
} cdecimals_scanned;

/// Whether this processor scans them.
bool cdecimals_scans(void);

/// Scans numbers from `position` on, eight at a time, with a comma between them and a space behind it or none, up to a
/// bracket: those of the shape `-?D.D` with up to 16 bytes behind the sign, as JSON has them. It stops before any eight
/// of which one has another shape, or a value within 4 units of float64 of a midpoint between two float32s; all others
/// are rounded to nearest, since their digits are exact in float64 and so is the power of ten to half a unit.
///
/// - Parameters:
///   - text: the first byte that may be read; the first after the last one is `end`.
///   - floats: has `room` for so many.
cdecimals_scanned cdecimals_scan(const uint8_t *text, const uint8_t *position, const uint8_t *end, float *floats,
                                 size_t room);

/// Whether this processor scans blocks.
bool cdecimals_scans_blocks(void);

/// Scans numbers as `cdecimals_scan` does, of any length that have their point within their first 16 bytes behind the
/// sign. Of longer ones the first 15 digits are taken: such a number is less than one of the last of them above what
/// they say. It stops before any eight of which one has another shape, or may be rounded to either of two floats.
cdecimals_scanned cdecimals_scan_blocks(const uint8_t *position, const uint8_t *end, float *floats, size_t room);
