#include "CDecimals.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq")))

bool cdecimals_available(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq");
}

/// ⌊g · cp / 2⁶⁴⌋, its lowest bit set if anything of weight was cut off; `cp` below 2³².
///
/// `g` exceeds what it stands for by less than 1, so that an exact product shows in the bits cut off as a value below
/// 2³², an inexact one as at least 2³³.
AVX512 static inline __m512i rounded_to_odd(__m512i g, __m512i cp) {
  __m512i low = _mm512_mul_epu32(g, cp);
  __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(g, 32), cp);
  __m512i sum = _mm512_add_epi64(high, _mm512_srli_epi64(low, 32));
  __mmask8 cut = _mm512_test_epi64_mask(sum, _mm512_set1_epi64(0xFFFFFFFE));
  __m512i whole = _mm512_srli_epi64(sum, 32);
  return _mm512_mask_or_epi64(whole, cut, whole, _mm512_set1_epi64(1));
}

/// ⌊value / divisor⌋ by its reciprocal: `value` below 2³², `multiplier` = ⌈2^shift / divisor⌉.
#define DIVIDED(value, multiplier, shift) \
  _mm512_srli_epi64(_mm512_mul_epu32((value), _mm512_set1_epi64(multiplier)), (shift))

/// Eight decimal digits of a number below 10⁸ into eight bytes, the leftmost lowest: halves, then quarters, then
/// digits, each step in all parts of a lane at once by reciprocals that are exact for the part's range.
AVX512 static inline __m512i spread(__m512i value) {
  __m512i upper = DIVIDED(value, 3518437209, 45);
  __m512i lower = _mm512_sub_epi64(value, _mm512_mul_epu32(upper, _mm512_set1_epi64(10000)));
  __m512i fours = _mm512_or_si512(upper, _mm512_slli_epi64(lower, 32));
  __m512i hundreds = _mm512_srli_epi32(_mm512_mullo_epi32(fours, _mm512_set1_epi32(10486)), 20);
  __m512i ones = _mm512_sub_epi32(fours, _mm512_mullo_epi32(hundreds, _mm512_set1_epi32(100)));
  __m512i twos = _mm512_or_si512(hundreds, _mm512_slli_epi32(ones, 16));
  __m512i tens = _mm512_srli_epi16(_mm512_mullo_epi16(twos, _mm512_set1_epi16(103)), 10);
  __m512i units = _mm512_sub_epi16(twos, _mm512_mullo_epi16(tens, _mm512_set1_epi16(10)));
  return _mm512_or_si512(tens, _mm512_slli_epi16(units, 8));
}

AVX512 cdecimals_done cdecimals_shortest(const float *floats, const uint64_t *scaled, cdecimals_eight *decimals) {
  const __m512i one = _mm512_set1_epi64(1);
  __m512i bits = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)floats));
  __m512i fraction = _mm512_and_si512(bits, _mm512_set1_epi64(0x007FFFFF));
  __m512i exponent = _mm512_and_si512(_mm512_srli_epi64(bits, 23), _mm512_set1_epi64(0xFF));
  // Lanes with a fraction and an exponent of 1 to 254; the others compute something that nobody reads.
  __mmask8 regular = _mm512_test_epi64_mask(fraction, fraction) &
                     _mm512_cmplt_epu64_mask(_mm512_sub_epi64(exponent, one), _mm512_set1_epi64(254));

  // v = c · 2^q, k = ⌊log10 2^q⌋, and the interval in units of 10^k.
  __m512i c = _mm512_or_si512(fraction, _mm512_set1_epi64(0x00800000));
  __m512i q = _mm512_sub_epi64(exponent, _mm512_set1_epi64(150));
  __m512i k = _mm512_srai_epi64(_mm512_mul_epi32(q, _mm512_set1_epi64(1262611)), 22);
  __m512i minus_k = _mm512_sub_epi64(_mm512_setzero_si512(), k);
  __m512i log2 = _mm512_srai_epi64(_mm512_mul_epi32(minus_k, _mm512_set1_epi64(1741647)), 19);
  __m512i h = _mm512_add_epi64(_mm512_add_epi64(q, log2), one);
  __m512i g = _mm512_mask_i64gather_epi64(one, regular, minus_k, scaled, 8);
  __m512i four_c = _mm512_slli_epi64(c, 2);
  const __m512i two = _mm512_set1_epi64(2);
  __m512i open = _mm512_and_si512(c, one);
  __m512i lower = _mm512_add_epi64(rounded_to_odd(g, _mm512_sllv_epi64(_mm512_sub_epi64(four_c, two), h)), open);
  __m512i middle = rounded_to_odd(g, _mm512_sllv_epi64(four_c, h));
  __m512i upper = _mm512_sub_epi64(rounded_to_odd(g, _mm512_sllv_epi64(_mm512_add_epi64(four_c, two), h)), open);

  // The nearer one of s and s + 1, unless just one of the multiples of ten around it is inside.
  __m512i s = _mm512_srli_epi64(middle, 2);
  __m512i above = _mm512_add_epi64(_mm512_and_si512(middle, _mm512_set1_epi64(3)), _mm512_and_si512(s, one));
  __m512i digits = _mm512_mask_add_epi64(s, _mm512_cmpgt_epu64_mask(above, two), s, one);
  __m512i tens = _mm512_mul_epu32(DIVIDED(s, 3435973837, 35), _mm512_set1_epi64(10));
  __m512i four_tens = _mm512_slli_epi64(tens, 2);
  __mmask8 tens_fit = _mm512_cmple_epu64_mask(lower, four_tens);
  __mmask8 next_fits = _mm512_cmple_epu64_mask(_mm512_add_epi64(four_tens, _mm512_set1_epi64(40)), upper);
  __m512i shorter = _mm512_mask_add_epi64(tens, next_fits, tens, _mm512_set1_epi64(10));
  digits = _mm512_mask_mov_epi64(digits, tens_fit ^ next_fits, shorter);

  // Nine digits: there are at least seven.
  const __m512i ten = _mm512_set1_epi64(10);
  __mmask8 lacks_one = _mm512_cmplt_epu64_mask(digits, _mm512_set1_epi64(100000000));
  __mmask8 lacks_two = _mm512_cmplt_epu64_mask(digits, _mm512_set1_epi64(10000000));
  digits = _mm512_mask_mul_epu32(digits, lacks_one, digits, ten);
  digits = _mm512_mask_mul_epu32(digits, lacks_two, digits, ten);
  __m512i scale = _mm512_add_epi64(k, _mm512_set1_epi64(8));
  scale = _mm512_mask_sub_epi64(scale, lacks_one, scale, one);
  scale = _mm512_mask_sub_epi64(scale, lacks_two, scale, one);

  __m512i first = DIVIDED(digits, 1441151881, 57);
  __m512i rest = spread(_mm512_sub_epi64(digits, _mm512_mul_epu32(first, _mm512_set1_epi64(100000000))));
  __m512i zeros = _mm512_srli_epi64(_mm512_lzcnt_epi64(rest), 3);
  __m512i count = _mm512_sub_epi64(_mm512_set1_epi64(9), zeros);
  __m512i form = _mm512_or_si512(_mm512_or_si512(first, _mm512_slli_epi64(count, 8)), _mm512_slli_epi64(scale, 16));
  _mm512_storeu_si512(decimals->rest, rest);
  _mm512_storeu_si512(decimals->form, form);

  // `d.ddd` and `0.000ddd`: the nine digits moved right by as many zeros as stand before them.
  const __m512i zero_characters = _mm512_set1_epi8('0');
  __m512i leading = _mm512_sub_epi64(_mm512_setzero_si512(), scale);
  __mmask8 characters = regular & _mm512_cmple_epu64_mask(leading, _mm512_set1_epi64(4));
  __m512i shift = _mm512_slli_epi64(leading, 3);
  __m512i nine_low = _mm512_or_si512(first, _mm512_slli_epi64(rest, 8));
  __m512i nine_high = _mm512_srli_epi64(rest, 56);
  __m512i low = _mm512_sllv_epi64(nine_low, shift);
  __m512i carried = _mm512_srlv_epi64(nine_low, _mm512_sub_epi64(_mm512_set1_epi64(64), shift));
  __m512i high = _mm512_or_si512(_mm512_sllv_epi64(nine_high, shift), carried);
  __m512i tail = _mm512_or_si512(_mm512_srli_epi64(low, 8), _mm512_slli_epi64(high, 56));
  __m512i behind = _mm512_max_epi64(_mm512_add_epi64(_mm512_sub_epi64(count, one), leading), one);
  __m512i digit = _mm512_and_si512(low, _mm512_set1_epi64(0xFF));
  __m512i head = _mm512_or_si512(digit, _mm512_set1_epi64('.' << 8 | '0'));
  _mm_storeu_si128((__m128i *)decimals->head, _mm512_cvtepi64_epi16(head));
  _mm512_storeu_si512(decimals->tail, _mm512_or_si512(tail, zero_characters));
  _mm512_storeu_si512(decimals->further, _mm512_or_si512(_mm512_srli_epi64(high, 8), zero_characters));
  _mm512_storeu_si512(decimals->length, _mm512_add_epi64(behind, two));
  return (cdecimals_done){.decimals = regular, .characters = characters};
}

#else

bool cdecimals_available(void) { return false; }

cdecimals_done cdecimals_shortest(const float *floats, const uint64_t *scaled, cdecimals_eight *decimals) {
  (void)floats, (void)scaled, (void)decimals;
  return (cdecimals_done){0};
}

#endif
