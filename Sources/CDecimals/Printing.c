#include "CDecimals.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,lzcnt")))
#define INLINE static inline __attribute__((always_inline))

bool cdecimals_prints(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("lzcnt");
}

/// For the floats from 2^e to 2^(e+1): 10^m = 10^−k with the k of `cdecimals_shortest`, and half of their distance.
#define EACH_EXPONENT(ROW) \
  ROW(-13, 1e11, 0x1p-37) ROW(-12, 1e11, 0x1p-36) ROW(-11, 1e11, 0x1p-35) ROW(-10, 1e10, 0x1p-34) \
  ROW(-9, 1e10, 0x1p-33) ROW(-8, 1e10, 0x1p-32) ROW(-7, 1e10, 0x1p-31) ROW(-6, 1e9, 0x1p-30) \
  ROW(-5, 1e9, 0x1p-29) ROW(-4, 1e9, 0x1p-28) ROW(-3, 1e8, 0x1p-27) ROW(-2, 1e8, 0x1p-26) \
  ROW(-1, 1e8, 0x1p-25) ROW(0, 1e7, 0x1p-24) ROW(1, 1e7, 0x1p-23) ROW(2, 1e7, 0x1p-22)

/// The tables' entries stand where the lowest four bits of the exponent of a float64 point at.
#define PLACE(e) [(1023 + (e)) & 15]
#define SCALE(e, power, half) PLACE(e) = (power),
#define REACH(e, power, half) PLACE(e) = (power) * (half),
#define UNIT(e, power, half) PLACE(e) = 0x1p52 / (1e3 * (power)),

/// 10^m; half of the floats' distance in units of 10^−m; and 10^−m in units of 1000 · 2⁻⁵².
static const double scales[16] = {EACH_EXPONENT(SCALE)};
static const double reaches[16] = {EACH_EXPONENT(REACH)};
static const double units[16] = {EACH_EXPONENT(UNIT)};

/// The magnitudes that have a place in the tables, as bits: from 2⁻¹³ to below 8.
enum { least = (127 - 13) << 23, most = (127 + 3) << 23 };

AVX512 INLINE __m512d looked_up(const double *table, __m512i places) {
  return _mm512_permutex2var_pd(_mm512_loadu_pd(table), places, _mm512_loadu_pd(table + 8));
}

/// Two characters for each byte: the digits of numbers below 100, what begins a number for `opening`, a point for
/// `point`.
enum { opening = 100, point = 101 };
#define TEN(digit) digit, digit, digit, digit, digit, digit, digit, digit, digit, digit
#define COUNT '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'
static const uint8_t first_characters[128] = {
    TEN('0'), TEN('1'), TEN('2'), TEN('3'), TEN('4'), TEN('5'), TEN('6'), TEN('7'), TEN('8'), TEN('9'), ',', '.'};
static const uint8_t second_characters[128] = {
    COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, '-', '0'};

/// The shortest decimals of eight magnitudes, as eight pairs of digits in the bytes of each lane: `opening`, the digit
/// before the point and the one behind it, eight more, `point`, and the last two of eleven behind the point.
///
/// The steps of `ShortestDecimal`, of which here all values are exact: x · 10^m has at most 50 bits in float64. The
/// bounds of the rounding interval are never integers, so it does not matter to which float they belong; and for the
/// powers of two, whose interval is narrower, the same digits come out, compared for each of them.
AVX512 INLINE __m512i shortest(__m512d magnitudes) {
  __m512i places = _mm512_srli_epi64(_mm512_castpd_si512(magnitudes), 52);
  __m512d value = _mm512_mul_pd(magnitudes, looked_up(scales, places));

  // The nearest integer, unless the nearest multiple of ten is inside: below five away, so there is but one.
  const __m512d ten = _mm512_set1_pd(10);
  enum { to_nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
  __m512d nearest = _mm512_roundscale_pd(value, to_nearest);
  __m512d tens = _mm512_roundscale_pd(_mm512_mul_pd(value, _mm512_set1_pd(0.1)), to_nearest);
  __m512d distance = _mm512_abs_pd(_mm512_fnmadd_pd(tens, ten, value));
  __mmask8 fits = _mm512_cmp_pd_mask(distance, looked_up(reaches, places), _CMP_LT_OQ);
  __m512d digits = _mm512_mask_mul_pd(nearest, fits, tens, ten);

  // A thousandth of it as a fraction of 52 bits. One of the last digit is 45 units of that fraction: four more, and
  // none of the roundings takes it below its digits. Their groups come off the top, 10⁴ times the fraction each.
  __m512d thousandth = _mm512_fmadd_pd(digits, looked_up(units, places), _mm512_set1_pd(0x1p52 + 4));
  const __m512i zero = _mm512_setzero_si512(), group = _mm512_set1_epi64(10000);
  __m512i rest = _mm512_castpd_si512(thousandth);
  __m512i groups = _mm512_madd52hi_epu64(_mm512_set1_epi64(100 * opening), rest, group);
  rest = _mm512_madd52lo_epu64(zero, rest, group);
  groups = _mm512_or_si512(groups, _mm512_slli_epi64(_mm512_madd52hi_epu64(zero, rest, group), 16));
  rest = _mm512_madd52lo_epu64(zero, rest, group);
  groups = _mm512_or_si512(groups, _mm512_slli_epi64(_mm512_madd52hi_epu64(zero, rest, group), 32));
  rest = _mm512_madd52lo_epu64(zero, rest, group);
  __m512i last = _mm512_madd52hi_epu64(_mm512_set1_epi64(100 * point), rest, _mm512_set1_epi64(100));
  groups = _mm512_or_si512(groups, _mm512_slli_epi64(last, 48));

  // Hundreds into the lower byte, by a reciprocal that is exact below 43,600; what is left of them into the upper one.
  __m512i hundreds = _mm512_srli_epi16(_mm512_mulhi_epu16(groups, _mm512_set1_epi16(5243)), 3);
  __m512i moved = _mm512_mullo_epi16(hundreds, _mm512_set1_epi16(1 - (100 << 8)));
  return _mm512_add_epi16(_mm512_slli_epi16(groups, 8), moved);
}

/// Which character stands where in a number of a register of four, as places in eight lanes of first characters (A) and
/// of second ones (B); from the lane `from` on. Zeros follow on what is shorter than 16.
#define A(lane, pair) (8 * (lane) + (pair))
#define B(lane, pair) (64 + 8 * (lane) + (pair))
#define FRACTION(l) B(l, 1), A(l, 2), B(l, 2), A(l, 3), B(l, 3), A(l, 4), B(l, 4), A(l, 5), B(l, 5), A(l, 7), B(l, 7)
#define POSITIVE(l) A(l, 0), A(l, 1), A(l, 6), FRACTION(l), B(l, 6), B(l, 6)
#define NEGATIVE(l) A(l, 0), B(l, 0), A(l, 1), A(l, 6), FRACTION(l), B(l, 6)
#define FOUR(ORDER, from) {ORDER(from), ORDER(from + 1), ORDER(from + 2), ORDER(from + 3)}
static const uint8_t positive_order[2][64] = {FOUR(POSITIVE, 0), FOUR(POSITIVE, 4)};
static const uint8_t negative_order[2][64] = {FOUR(NEGATIVE, 0), FOUR(NEGATIVE, 4)};

/// What is not worth a character at a number's end: a zero, but the one right behind the point.
#define AFTER_POINT_AT_2 '0', '0', '0', 0, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'
#define AFTER_POINT_AT_3 '0', '0', '0', '0', 0, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'
static const uint8_t positive_zeros[16] = {AFTER_POINT_AT_2};
static const uint8_t negative_zeros[16] = {AFTER_POINT_AT_3};

/// Eight numbers' characters, in no order yet.
typedef struct {
  __m512i first, second;
} characters;

AVX512 INLINE characters characters_of(__m512d magnitudes) {
  __m512i pairs = shortest(magnitudes);
  __m512i first = _mm512_permutex2var_epi8(_mm512_loadu_si512(first_characters), pairs,
                                           _mm512_loadu_si512(first_characters + 64));
  __m512i second = _mm512_permutex2var_epi8(_mm512_loadu_si512(second_characters), pairs,
                                            _mm512_loadu_si512(second_characters + 64));
  return (characters){.first = first, .second = second};
}

/// Writes four of eight numbers, a comma in front of each but, where asked for, the first.
///
/// - Parameters:
///   - signs: all ones or zeros for each of 16 numbers, of which the `lane`th is the first of the eight.
///   - half: the first four or the last.
/// - Returns: the byte behind them.
AVX512 INLINE uint8_t *write_four(characters eight, __m512i signs, int lane, int half, bool skips_comma,
                                  uint8_t *text) {
  const __m512i fours = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  __m512i own = _mm512_permutexvar_epi32(_mm512_add_epi32(fours, _mm512_set1_epi32(lane + 4 * half)), signs);
  enum { choice = 0xCA };
  __m512i order = _mm512_ternarylogic_epi64(own, _mm512_loadu_si512(negative_order[half]),
                                            _mm512_loadu_si512(positive_order[half]), choice);
  __m512i zeros = _mm512_ternarylogic_epi64(
      own, _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)negative_zeros)),
      _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)positive_zeros)), choice);
  __m512i numbers = _mm512_permutex2var_epi8(eight.first, order, eight.second);
  uint64_t worth = _mm512_cmpneq_epi8_mask(numbers, zeros);

  __m128i first = _mm512_castsi512_si128(numbers);
  if (skips_comma) {
    _mm_storeu_si128((__m128i *)text, _mm_bsrli_si128(first, 1));
    text -= 1;
  } else {
    _mm_storeu_si128((__m128i *)text, first);
  }
  text += 16 - _lzcnt_u64(worth << 48);
  _mm_storeu_si128((__m128i *)text, _mm512_extracti32x4_epi32(numbers, 1));
  text += 16 - _lzcnt_u64(worth << 32);
  _mm_storeu_si128((__m128i *)text, _mm512_extracti32x4_epi32(numbers, 2));
  text += 16 - _lzcnt_u64(worth << 16);
  _mm_storeu_si128((__m128i *)text, _mm512_extracti32x4_epi32(numbers, 3));
  return text + 16 - _lzcnt_u64(worth);
}

AVX512 cdecimals_printed cdecimals_print(const float *floats, size_t count, bool after_comma, uint8_t *text) {
  enum { lanes = 16, zero_length = sizeof(",0.0") - 1 };
  cdecimals_printed printed = {.count = 0, .behind = text};
  while (printed.count < count) {
    size_t left = count - printed.count;
    __mmask16 wanted = left < lanes ? (__mmask16)((1 << left) - 1) : 0xFFFF;
    __m512i bits = _mm512_maskz_loadu_epi32(wanted, floats + printed.count);
    __m512i magnitudes = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
    __m512i above_least = _mm512_sub_epi32(magnitudes, _mm512_set1_epi32(least));
    __mmask16 common = _mm512_cmplt_epu32_mask(above_least, _mm512_set1_epi32(most - least)) |
                       _mm512_testn_epi32_mask(magnitudes, magnitudes);
    if (common != 0xFFFF) break;

    __m512 values = _mm512_castsi512_ps(magnitudes);
    __m512i signs = _mm512_srai_epi32(bits, 31);
    characters low = characters_of(_mm512_cvtps_pd(_mm512_castps512_ps256(values)));
    characters high = characters_of(_mm512_cvtps_pd(_mm512_extractf32x8_ps(values, 1)));
    uint8_t *next = printed.behind;
    next = write_four(low, signs, 0, 0, !after_comma && printed.count == 0, next);
    next = write_four(low, signs, 0, 1, false, next);
    next = write_four(high, signs, 8, 0, false, next);
    next = write_four(high, signs, 8, 1, false, next);
    // What fills the lanes behind the last number are zeros.
    printed.behind = left < lanes ? next - zero_length * (lanes - left) : next;
    printed.count += left < lanes ? left : lanes;
  }
  return printed;
}

#else

bool cdecimals_prints(void) { return false; }

cdecimals_printed cdecimals_print(const float *floats, size_t count, bool after_comma, uint8_t *text) {
  (void)floats, (void)count, (void)after_comma;
  return (cdecimals_printed){.count = 0, .behind = text};
}

#endif
