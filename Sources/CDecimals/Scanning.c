#include "CDecimals.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,bmi,bmi2,popcnt")))

bool cdecimals_scans(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
}

/// Bytes that a number may have behind its sign, and bits that it has in a mask.
enum { width = 16 };

/// Four numbers in a register, each at the right end of its 16 bytes; masks have a bit for each byte.
static const uint64_t first_bits = 0x0001000100010001, last_bits = 0x8000800080008000;

/// Where a number begins behind its sign, how many bytes it has there, and whether it has a sign.
typedef struct {
  size_t length, is_negative;
} token;

/// The number behind `delimiter`, after a space or none, up to `end`.
static inline __attribute__((always_inline)) token token_between(const uint8_t *delimiter, const uint8_t *end) {
  const uint8_t *start = delimiter + 1;
  start += *start == ' ';
  size_t is_negative = *start == '-';
  return (token){(size_t)(end - start) - is_negative, is_negative};
}

/// The upper `length` of 16 bits; none or others where `length` is not 1 to 16.
static inline __attribute__((always_inline)) uint64_t range_of(size_t length) {
  return ((uint64_t)0xFFFF0000 >> (length & 31)) & 0xFFFF;
}

typedef struct {
  /// Four times four decimal digits of each number, as 32-bit integers.
  __m512i fours;
  /// How many bytes there are from the point on, as two 64-bit integers.
  __m512i behind;
  /// Whether all four are `D.D`, with more digits on either side and no zero before others.
  bool are_common;
} four_numbers;

/// - Parameter range: the bytes that belong to the numbers.
AVX512 static inline four_numbers digits_of(__m512i bytes, uint64_t range) {
  const __m512i places = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m512i bytes_left = _mm512_sub_epi8(_mm512_set1_epi8(width), places);
  uint64_t digits_range = range & (range << 1 & ~first_bits);
  uint64_t first = range & ~digits_range;
  uint64_t points = _mm512_mask_cmpeq_epi8_mask(range, bytes, _mm512_set1_epi8('.'));
  uint64_t leading_zeros = _mm512_mask_cmpeq_epi8_mask(first, bytes, _mm512_set1_epi8('0'));

  // The digits before the point move over it.
  __m512i behind = _mm512_sad_epu8(_mm512_maskz_mov_epi8(points, bytes_left), _mm512_setzero_si512());
  behind = _mm512_add_epi64(behind, _mm512_shuffle_epi32(behind, 0x4E));
  __m512i of_all = _mm512_shuffle_epi8(behind, _mm512_setzero_si512());
  __mmask64 moved = _mm512_cmple_epu8_mask(of_all, bytes_left);
  __m512i sources = _mm512_mask_sub_epi8(places, moved, places, _mm512_set1_epi8(1));
  __m512i values = _mm512_shuffle_epi8(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), sources);
  uint64_t digits = _mm512_mask_cmple_epu8_mask(digits_range, values, _mm512_set1_epi8(9));

  // One of two points would be left among the digits; without one too few are counted.
  uint64_t flaws = (digits_range ^ digits) | (points & (first | last_bits)) |
                   ((leading_zeros << 1) & digits_range & ~points);
  values = _mm512_maskz_mov_epi8(digits, values);
  __m512i twos = _mm512_maddubs_epi16(values, _mm512_set1_epi16(1 << 8 | 10));
  return (four_numbers){.fours = _mm512_madd_epi16(twos, _mm512_set1_epi32(1 << 16 | 100)),
                        .behind = behind,
                        .are_common = flaws == 0 && __builtin_popcountll(points) == 4};
}

/// The 16 bytes before each of four ends.
AVX512 static inline __m512i bytes_before(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d) {
  __m512i bytes = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(a - width)));
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(b - width)), 1);
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(c - width)), 2);
  return _mm512_inserti32x4(bytes, _mm_loadu_si128((const __m128i *)(d - width)), 3);
}

/// Scans the eight numbers between nine delimiters.
///
/// - Returns: whether all are common and none of them is near a midpoint of two floats.
AVX512 static inline bool scan_eight(const uint8_t *const *delimiters, __m512 *floats) {
  uint64_t even = 0, odd = 0, wrong_lengths = 0;
  unsigned negative = 0;
#pragma clang loop unroll(full)
  for (unsigned lane = 0; lane < cdecimals_lanes; lane++) {
    token number = token_between(delimiters[lane], delimiters[lane + 1]);
    wrong_lengths |= number.length - 1;
    negative |= (unsigned)number.is_negative << lane;
    uint64_t range = range_of(number.length) << lane / 2 * width;
    if (lane % 2 == 0) even |= range; else odd |= range;
  }
  if (wrong_lengths >= width) return false;
  const uint8_t *const *ends = delimiters + 1;
  four_numbers a = digits_of(bytes_before(ends[0], ends[2], ends[4], ends[6]), even);
  four_numbers b = digits_of(bytes_before(ends[1], ends[3], ends[5], ends[7]), odd);
  if (!a.are_common || !b.are_common) return false;

  // Upper and lower eight digits of the even and of the odd numbers in turn; 15 digits in all, so exact in float64.
  __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(a.fours, b.fours), _mm512_set1_epi32(1 << 16 | 10000));
  __m512i upper = _mm512_mul_epu32(eights, _mm512_set1_epi64(100000000));
  __m512d significands = _mm512_cvtepi64_pd(_mm512_add_epi64(upper, _mm512_srli_epi64(eights, 32)));
  __m512i behind = _mm512_mask_blend_epi64(0xAA, a.behind, b.behind);
  const __m512d low = _mm512_setr_pd(0, 1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6);
  const __m512d high = _mm512_setr_pd(1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14);
  __m512d scaled = _mm512_mul_pd(significands, _mm512_permutex2var_pd(low, behind, high));

  __m512i spare = _mm512_and_si512(_mm512_castpd_si512(scaled), _mm512_set1_epi64((1 << 29) - 1));
  __m512i from_guard = _mm512_sub_epi64(spare, _mm512_set1_epi64((1 << 28) - 4));
  if (_mm512_cmple_epu64_mask(from_guard, _mm512_set1_epi64(8))) return false;
  __m512i rounded = _mm512_castps_si512(_mm512_castps256_ps512(_mm512_cvtpd_ps(scaled)));
  *floats = _mm512_castsi512_ps(
      _mm512_mask_or_epi32(rounded, (__mmask16)negative, rounded, _mm512_set1_epi32((int)0x80000000)));
  return true;
}

/// Bytes that are looked at in one go, each of which may be a delimiter.
enum { block = 64 };

AVX512 cdecimals_scanned cdecimals_scan(const uint8_t *text, const uint8_t *position, const uint8_t *end, float *floats,
                                        size_t room) {
  cdecimals_scanned scanned = {.count = 0, .behind = position};
  // The delimiter before the next number, and those found behind it.
  const uint8_t *delimiters[1 + cdecimals_lanes + block];
  delimiters[0] = position - 1;
  size_t found = 0;
  bool is_last = false;
  const uint8_t *next = position;
  if (position - text < width) return scanned;
  while (room - scanned.count >= cdecimals_lanes) {
    while (found < cdecimals_lanes && !is_last && end - next >= block) {
      __m512i bytes = _mm512_loadu_si512(next);
      uint64_t commas = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(','));
      uint64_t brackets = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(']'));
      if (brackets) {
        commas &= brackets ^ (brackets - 1);
        commas |= brackets & -brackets;
        is_last = true;
      }
      for (; commas; commas &= commas - 1) delimiters[++found] = next + __builtin_ctzll(commas);
      next += block;
    }
    if (found < cdecimals_lanes) break;
    __m512 values;
    if (!scan_eight(delimiters, &values)) break;
    _mm256_storeu_ps(floats + scanned.count, _mm512_castps512_ps256(values));
    scanned.count += cdecimals_lanes;
    scanned.behind = delimiters[cdecimals_lanes];
    found -= cdecimals_lanes;
    for (size_t place = 0; place <= found; place++) delimiters[place] = delimiters[place + cdecimals_lanes];
  }
  return scanned;
}

#else

bool cdecimals_scans(void) { return false; }

cdecimals_scanned cdecimals_scan(const uint8_t *text, const uint8_t *position, const uint8_t *end, float *floats,
                                 size_t room) {
  (void)text, (void)end, (void)floats, (void)room;
  return (cdecimals_scanned){.count = 0, .behind = position};
}

#endif
