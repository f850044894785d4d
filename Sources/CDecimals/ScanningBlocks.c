#include "CDecimals.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline))

bool cdecimals_scans_blocks(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

/// Bytes of text that are looked at in one go, of a number that are read, and numbers that are noted before they are
/// converted: a block has a delimiter at every fourth byte at most.
enum { block = 64, width = 16, most_in_block = block / 4, noted = 64 };

/// Where numbers begin, behind their sign, have their point, and end; as offsets into the text. There is room for a
/// whole register behind the last one.
typedef struct {
  uint32_t starts[noted + most_in_block], points[noted + most_in_block], ends[noted + most_in_block];
  size_t start_count, point_count, end_count;
  /// A bit for each start.
  uint64_t negative;
} numbers;

/// What the byte before a block was.
typedef struct {
  uint64_t number, point, fraction, comma, space, minus, first_zero;
} before;

/// A bit for each byte of a block.
typedef struct {
  uint64_t digits, points, commas, spaces, minuses, zeros;
} classes;

/// Appends the places of the bits of `mask`, from `base` on, to `count` offsets.
///
/// - Returns: how many there are then.
AVX512 INLINE size_t append(uint64_t mask, uint32_t base, uint32_t *offsets, size_t count) {
  const __m512i places = _mm512_set_epi64(0x3F3E3D3C3B3A3938, 0x3736353433323130, 0x2F2E2D2C2B2A2928,
                                          0x2726252423222120, 0x1F1E1D1C1B1A1918, 0x1716151413121110,
                                          0x0F0E0D0C0B0A0908, 0x0706050403020100);
  __m128i chosen = _mm512_castsi512_si128(_mm512_maskz_compress_epi8(mask, places));
  __m256i first = _mm256_add_epi32(_mm256_cvtepu8_epi32(chosen), _mm256_set1_epi32((int)base));
  _mm256_storeu_si256((__m256i *)(offsets + count), first);
  size_t added = (size_t)_mm_popcnt_u64(mask);
  if (added > 8) {
    __m256i second = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(chosen, chosen));
    second = _mm256_add_epi32(second, _mm256_set1_epi32((int)base));
    _mm256_storeu_si256((__m256i *)(offsets + count + 8), second);
  }
  return count + added;
}

/// Notes the numbers of a block.
///
/// - Parameter in: of the block before; then of this one.
/// - Returns: whether all bytes up to `bracket`, if there is one, are numbers `D.D` without a zero before other digits,
///   each with a comma or the bracket behind it, and before it a space or a sign or both or none.
AVX512 INLINE bool note(classes c, uint64_t bracket, uint32_t base, before *in, numbers *found) {
  uint64_t in_number = c.digits | c.points;
  uint64_t behind_number = in_number << 1 | in->number;
  uint64_t starts = in_number & ~behind_number, ends = behind_number & ~in_number;
  uint64_t behind_comma = c.commas << 1 | in->comma, behind_space = c.spaces << 1 | in->space;

  // Digits behind a point, and what ends them: a carry runs through them.
  uint64_t behind_point = c.points << 1 | in->point;
  unsigned long long sum;
  bool runs_on = __builtin_uaddll_overflow(c.digits, behind_point | in->fraction, &sum);
  uint64_t fraction_ends = sum & ~c.digits;

  uint64_t behind_first_zero = (c.zeros & starts) << 1 | in->first_zero;
  uint64_t flaws = (ends ^ (c.commas | bracket)) | (fraction_ends ^ ends) | (c.spaces & ~behind_comma) |
                   (c.minuses & ~(behind_comma | behind_space)) | (c.points & starts) | (behind_point & ~c.digits) |
                   (behind_first_zero & c.digits);
  if (flaws) return false;

  uint64_t behind_minus = c.minuses << 1 | in->minus;
  found->negative |= _pext_u64(behind_minus, starts) << found->start_count;
  found->start_count = append(starts, base, found->starts, found->start_count);
  found->point_count = append(c.points, base, found->points, found->point_count);
  found->end_count = append(ends, base, found->ends, found->end_count);
  *in = (before){.number = in_number >> 63,
                 .point = c.points >> 63,
                 .fraction = runs_on,
                 .comma = c.commas >> 63,
                 .space = c.spaces >> 63,
                 .minus = c.minuses >> 63,
                 .first_zero = (c.zeros & starts) >> 63};
  return true;
}

/// Four times four decimal digits of each of four numbers, as 32-bit integers: the first 15 digits, zeros behind those
/// that a number has.
///
/// - Parameters:
///   - points: in each byte of a lane of 16 the place of its point.
///   - lengths: the same of its length.
AVX512 INLINE __m512i digits_of(__m512i bytes, __m512i points, __m512i lengths) {
  const __m512i places = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  __mmask64 own = _mm512_cmplt_epu8_mask(places, lengths);
  __m512i values = _mm512_maskz_sub_epi8(own, bytes, _mm512_set1_epi8('0'));
  // The digits before the point move over it; what moves into the first byte is a zero.
  __mmask64 moved = _mm512_cmple_epu8_mask(places, points);
  values = _mm512_shuffle_epi8(values, _mm512_mask_sub_epi8(places, moved, places, _mm512_set1_epi8(1)));
  __m512i twos = _mm512_maddubs_epi16(values, _mm512_set1_epi16(1 << 8 | 10));
  return _mm512_madd_epi16(twos, _mm512_set1_epi32(1 << 16 | 100));
}

/// The 16 bytes from each of four offsets on.
AVX512 INLINE __m512i bytes_from(const uint8_t *text, const uint32_t *offsets) {
  __m512i bytes = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(text + offsets[0])));
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(text + offsets[2])), 1);
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(text + offsets[4])), 2);
  return _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(text + offsets[6])), 3);
}

/// 10^−(15 − place of the point), less and more by 2⁻⁵⁰.
#define POWERS(factor) \
  {0, 1e-14 * (factor), 1e-13 * (factor), 1e-12 * (factor), 1e-11 * (factor), 1e-10 * (factor), 1e-9 * (factor), \
   1e-8 * (factor), 1e-7 * (factor), 1e-6 * (factor), 1e-5 * (factor), 1e-4 * (factor), 1e-3 * (factor), \
   1e-2 * (factor), 1e-1 * (factor), 1 * (factor)}
static const double powers_below[16] = POWERS(1 - 0x1p-50), powers_above[16] = POWERS(1 + 0x1p-50);

/// Converts the eight numbers from `first` on.
///
/// - Returns: whether all of them have their point within their first 16 bytes, and are none of them so near to a
///   midpoint of two floats that the first 15 digits do not tell on which side.
AVX512 INLINE bool convert(const uint8_t *text, const numbers *found, size_t first, __m256 *floats) {
  __m256i starts = _mm256_loadu_si256((const __m256i *)(found->starts + first));
  __m256i points = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(found->points + first)), starts);
  __m256i lengths = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(found->ends + first)), starts);
  if (_mm256_cmpge_epu32_mask(points, _mm256_set1_epi32(width))) return false;
  __mmask8 is_cut = _mm256_cmpgt_epu32_mask(lengths, _mm256_set1_epi32(width));
  lengths = _mm256_min_epu32(lengths, _mm256_set1_epi32(width));

  const __m512i even = _mm512_set_epi64(0x1818181818181818, 0x1818181818181818, 0x1010101010101010, 0x1010101010101010,
                                        0x0808080808080808, 0x0808080808080808, 0, 0);
  const __m512i odd = _mm512_add_epi8(even, _mm512_set1_epi8(4));
  __m512i wide_points = _mm512_castsi256_si512(points), wide_lengths = _mm512_castsi256_si512(lengths);
  __m512i a = digits_of(bytes_from(text, found->starts + first), _mm512_permutexvar_epi8(even, wide_points),
                        _mm512_permutexvar_epi8(even, wide_lengths));
  __m512i b = digits_of(bytes_from(text, found->starts + first + 1), _mm512_permutexvar_epi8(odd, wide_points),
                        _mm512_permutexvar_epi8(odd, wide_lengths));

  // Upper and lower eight digits of the even and of the odd numbers in turn; 15 digits in all, so exact in float64.
  __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(a, b), _mm512_set1_epi32(1 << 16 | 10000));
  __m512i upper = _mm512_mul_epu32(eights, _mm512_set1_epi64(100000000));
  __m512i least = _mm512_add_epi64(upper, _mm512_srli_epi64(eights, 32));
  __m512i most = _mm512_mask_add_epi64(least, is_cut, least, _mm512_set1_epi64(1));

  // The number is between these two, since either errs by less than 2⁻⁵⁰.
  __m512i places = _mm512_cvtepu32_epi64(points);
  __m512d below = _mm512_permutex2var_pd(_mm512_loadu_pd(powers_below), places, _mm512_loadu_pd(powers_below + 8));
  __m512d above = _mm512_permutex2var_pd(_mm512_loadu_pd(powers_above), places, _mm512_loadu_pd(powers_above + 8));
  __m256 rounded = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_cvtepi64_pd(least), below));
  __m256 other = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_cvtepi64_pd(most), above));
  if (_mm256_cmp_ps_mask(rounded, other, _CMP_NEQ_UQ)) return false;
  __mmask8 negative = (__mmask8)(found->negative >> first);
  __m256i bits = _mm256_castps_si256(rounded);
  *floats = _mm256_castsi256_ps(_mm256_mask_or_epi32(bits, negative, bits, _mm256_set1_epi32((int)0x80000000)));
  return true;
}

AVX512 INLINE classes classes_of(const uint8_t *text) {
  __m512i bytes = _mm512_loadu_si512(text);
  __m512i values = _mm512_sub_epi8(bytes, _mm512_set1_epi8('0'));
  return (classes){.digits = _mm512_cmplt_epu8_mask(values, _mm512_set1_epi8(10)),
                   .points = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('.')),
                   .commas = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(',')),
                   .spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')),
                   .minuses = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('-')),
                   .zeros = _mm512_testn_epi8_mask(values, values)};
}

/// Why no more numbers are noted.
typedef enum { full, at_bracket, at_flaw, at_end } stop;

/// Notes the numbers of blocks from `*base` on, up to a bracket, a block that has a flaw, or the last one of those that
/// can be read, with the 16 bytes behind it.
AVX512 INLINE stop note_blocks(const uint8_t *text, size_t readable, uint32_t *base, before *in, numbers *found) {
  while (found->start_count <= noted - most_in_block) {
    if (readable < block + width || *base > readable - block - width) return at_end;
    classes c = classes_of(text + *base);
    uint64_t others = ~(c.digits | c.points | c.commas | c.spaces | c.minuses);
    uint64_t bracket = 0;
    if (others) {
      bracket = others & -others;
      if (text[*base + _tzcnt_u64(others)] != ']') return at_flaw;
      uint64_t before_bracket = bracket - 1;
      c.digits &= before_bracket, c.points &= before_bracket, c.commas &= before_bracket;
      c.spaces &= before_bracket, c.minuses &= before_bracket;
    }
    if (!note(c, bracket, *base, in, found)) return at_flaw;
    if (bracket) return at_bracket;
    *base += block;
  }
  return full;
}

/// Forgets the first `count` numbers, of which all but a few are.
AVX512 INLINE void forget(numbers *found, size_t count) {
  _mm512_storeu_si512(found->starts, _mm512_loadu_si512(found->starts + count));
  _mm512_storeu_si512(found->points, _mm512_loadu_si512(found->points + count));
  _mm512_storeu_si512(found->ends, _mm512_loadu_si512(found->ends + count));
  found->start_count -= count, found->point_count -= count, found->end_count -= count;
  found->negative = count < noted ? found->negative >> count : 0;
}

/// Has eight numbers without a byte follow on the last one.
AVX512 INLINE void fill_up(numbers *found) {
  const __m256i nothing = _mm256_setzero_si256();
  _mm256_storeu_si256((__m256i *)(found->starts + found->end_count), nothing);
  _mm256_storeu_si256((__m256i *)(found->points + found->end_count), nothing);
  _mm256_storeu_si256((__m256i *)(found->ends + found->end_count), nothing);
}

/// Scans numbers up to the last whole block of the text.
///
/// - Returns: what was scanned, and in `why` why no more.
AVX512 static cdecimals_scanned scan(const uint8_t *text, const uint8_t *end, float *floats, size_t room, stop *why) {
  cdecimals_scanned scanned = {.count = 0, .behind = text};
  size_t readable = (size_t)(end - text) < UINT32_MAX ? (size_t)(end - text) : UINT32_MAX;
  before in = {.comma = 1};
  uint32_t base = 0;
  numbers found;
  found.start_count = found.point_count = found.end_count = 0;
  found.negative = 0;
  do {
    *why = note_blocks(text, readable, &base, &in, &found);
    size_t done = 0;
    while (found.end_count - done >= cdecimals_lanes || (*why != full && done < found.end_count)) {
      size_t count = found.end_count - done;
      if (count > cdecimals_lanes) count = cdecimals_lanes;
      if (count < cdecimals_lanes) fill_up(&found);
      if (count > room - scanned.count) count = room - scanned.count;
      __m256 values;
      if (count == 0 || !convert(text, &found, done, &values)) {
        *why = at_flaw;
        return scanned;
      }
      if (count == cdecimals_lanes) _mm256_storeu_ps(floats + scanned.count, values);
      else _mm256_mask_storeu_ps(floats + scanned.count, (__mmask8)((1 << count) - 1), values);
      done += count;
      scanned.count += count;
      scanned.behind = text + found.ends[done - 1];
    }
    forget(&found, done);
  } while (*why == full);
  return scanned;
}

cdecimals_scanned cdecimals_scan_blocks(const uint8_t *position, const uint8_t *end, float *floats, size_t room) {
  stop why;
  cdecimals_scanned scanned = scan(position, end, floats, room, &why);
  if (why != at_end || scanned.count == room) return scanned;
  // The last numbers once more, where there are bytes behind them that can be read.
  const uint8_t *rest = scanned.behind + (scanned.count > 0);
  enum { most_left = 3 * block, behind = block + width };
  size_t left = (size_t)(end - rest);
  if (left > most_left) return scanned;
  uint8_t copy[most_left + behind];
  memcpy(copy, rest, left);
  memset(copy + left, 0, behind);
  cdecimals_scanned last = scan(copy, copy + left + behind, floats + scanned.count, room - scanned.count, &why);
  if (last.count == 0) return scanned;
  return (cdecimals_scanned){.count = scanned.count + last.count, .behind = rest + (last.behind - copy)};
}

#else

bool cdecimals_scans_blocks(void) { return false; }

cdecimals_scanned cdecimals_scan_blocks(const uint8_t *position, const uint8_t *end, float *floats, size_t room) {
  (void)end, (void)floats, (void)room;
  return (cdecimals_scanned){.count = 0, .behind = position};
}

#endif
