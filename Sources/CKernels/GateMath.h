#pragma once

// The gates' formulas over vectors of LANES floats: the including file defines LANES and the target.
//
// Every function is a fixed sequence of IEEE operations and fused multiply–adds, so all kernel sets return the same
// bits. NaN stays NaN; an infinity gives what its formula gives (σ(−∞) = 0, so −∞·σ(−∞) is NaN).
//
// Errors, over every finite float32, in units in the last place (a subnormal's unit is 2⁻¹⁴⁹):
//   sigmoid 2.5, tanh 1.5, Φ 6, the products x·σ(x) 3.3 and x·Φ(x) 6.5, each measured against float64 (`make scan`);
//   an argument u of σ that was rounded adds |u|, and where σ or Φ is subnormal its error of 2⁻¹⁵⁰ is multiplied by |x|.

#include "CKernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#pragma STDC FP_CONTRACT OFF

typedef float vfloat __attribute__((ext_vector_type(LANES)));
typedef int32_t vint __attribute__((ext_vector_type(LANES)));
// The same in memory that is aligned for floats only.
typedef float vfloat_unaligned __attribute__((ext_vector_type(LANES), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE vfloat splat(float value) { return (vfloat)value; }
INLINE vfloat multiply_add(vfloat a, vfloat b, vfloat c) { return __builtin_elementwise_fma(a, b, c); }
INLINE vfloat choose(vint mask, vfloat yes, vfloat no) { return mask ? yes : no; }
INLINE vfloat magnitude(vfloat x) { return __builtin_elementwise_abs(x); }
INLINE vfloat load(const float *p) { return *(const vfloat_unaligned *)p; }
INLINE void store(float *p, vfloat x) { *(vfloat_unaligned *)p = x; }

// The nearest bf16 as a float32, ties to even; NaN stays NaN.
INLINE vfloat round_to_bf16(vfloat x) {
  vint bits = __builtin_bit_cast(vint, x);
  vint rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  return __builtin_bit_cast(vfloat, (x == x ? rounded : bits | 0x400000) & (vint)(int32_t)0xFFFF0000);
}

// Coefficients c[0] … c[n-1] of ascending powers, by Horner's rule.
INLINE vfloat polynomial(vfloat x, const float *c, int n) {
  vfloat y = splat(c[n - 1]);
  for (int i = n - 2; i >= 0; i--) y = multiply_add(y, x, splat(c[i]));
  return y;
}

// min(x, upper), max(x, lower), which keep NaN.
INLINE vfloat at_most(vfloat x, float upper) { return choose(x > splat(upper), splat(upper), x); }
INLINE vfloat at_least(vfloat x, float lower) { return choose(x < splat(lower), splat(lower), x); }

// Sixteen numbers, from which each lane takes the one that the low four bits of its index say.
INLINE vfloat look_up(const float *table, vint index) {
#if LANES == 16
  return __builtin_ia32_permvarsf512(*(const vfloat *)table, index);
#elif LANES == 8 && defined(__x86_64__)
  vfloat low = __builtin_ia32_permvarsf256(*(const vfloat *)table, index);
  vfloat high = __builtin_ia32_permvarsf256(*(const vfloat *)(table + LANES), index);
  return choose((index & 8) != 0, high, low);
#elif LANES == 4 && defined(__aarch64__)
  uint8x16_t bytes = __builtin_bit_cast(uint8x16_t, (index & 15) * 0x04040404 + 0x03020100);
  return __builtin_bit_cast(vfloat, vqtbl4q_u8(vld1q_u8_x4((const uint8_t *)table), bytes));
#else
  vfloat numbers;
  UNROLLED for (int lane = 0; lane < LANES; lane++) numbers[lane] = table[index[lane] & 15];
  return numbers;
#endif
}

// The exponential's steps are sixteenths of ln 2: here as two parts, the first of 12 bits, so that its products with
// whole numbers below 2¹² are exact.
static const float STEP_HIGH = 0x1.62ep-5f, STEP_LOW = 0x1.0bfbe8p-19f;

// Adding it to a number leaves the nearest integer in the sum's low bits. Its multiple of 16, 2¹⁰, raises powers of two
// by 2⁶⁴, so that they stay normal down to 2⁻¹⁹⁰.
static const float ROUND_BIAS = 0x1.8p23f + 0x1p10f;
static const float RAISED_ONE = 0x1p64f;

// The nearest integer to a·b plus ROUND_BIAS, −2⁴·155 ≤ a·b ≤ 0.
INLINE vfloat biased_integer(vfloat a, float b) { return multiply_add(a, splat(b), splat(ROUND_BIAS)); }

// 2^(n/16)·e^r·2⁶⁴, |r| ≤ 0.0217, `biased` being n plus ROUND_BIAS: T + T·(d + r + r²·(c₀ + c₁·r)) (minimax, 2⁻²⁹),
// where T is the nearest float32 to the power of two and T·d what it lacks.
INLINE vfloat exp_of_parts(vfloat biased, vfloat r) {
  // 2^(j/16), j < 16, its bits less the j that stands in the integer beside its multiple of 16.
  static const float powers[16] __attribute__((aligned(64))) = {
      0x1p+0f, 0x1.fb5586p-1f, 0x1.f72b84p-1f, 0x1.f387a6p-1f, 0x1.f06fep-1f, 0x1.edea64p-1f, 0x1.ebfdaep-1f,
      0x1.eab07ep-1f, 0x1.ea09e6p-1f, 0x1.ea1148p-1f, 0x1.eace54p-1f, 0x1.ec4918p-1f, 0x1.ee89fap-1f, 0x1.f199bep-1f,
      0x1.f5818ep-1f, 0x1.fa4afap-1f};
  static const float lacks[16] __attribute__((aligned(64))) = {
      0, 0x1.8d96d4p-25f, -0x1.9c0c22p-27f, 0x1.964904p-25f, 0x1.125002p-25f, 0x1.370be4p-25f, -0x1.0a355p-25f,
      -0x1.00d8acp-27f, 0x1.26055cp-26f, -0x1.05cb44p-25f, 0x1.67a1cap-28f, 0x1.a3b5e4p-28f, -0x1.f9c304p-27f,
      -0x1.6961b4p-28f, -0x1.a5217cp-28f, 0x1.61428ep-28f};
  vint n = __builtin_bit_cast(vint, biased);
  vfloat power = __builtin_bit_cast(vfloat, __builtin_bit_cast(vint, look_up(powers, n)) + (n << 19));
  vfloat factor = multiply_add(r, splat(0x1.555748p-3f), splat(0x1.00022p-1f));
  return multiply_add(power, multiply_add(factor, r * r, r + look_up(lacks, n)), power);
}

// e^−t·2⁶⁴, t ≥ 0, which is never subnormal: 1 unit. From 104 on, e^−t rounds to 0.
INLINE vfloat raised_exp(vfloat t) {
  t = at_most(t, 104.0f);
  vfloat biased = biased_integer(t, -0x1.715476p+4f), n = biased - splat(ROUND_BIAS);
  vfloat r = multiply_add(n, splat(-STEP_HIGH), -t); // exact
  return exp_of_parts(biased, multiply_add(n, splat(-STEP_LOW), r));
}

// e^−t, t ≥ 0, rounded once more where it is subnormal.
INLINE vfloat exp_minus(vfloat t) { return raised_exp(t) * splat(1 / RAISED_ONE); }

// A quotient whose division its user does, or shares with another one's.
struct fraction {
  vfloat over, under;
};

// σ(x) = 1/(1 + e⁻ˣ), from e^−|x| on both sides, which never overflows and cancels nowhere; over and under times 2⁶⁴.
INLINE struct fraction sigmoid_fraction(vfloat x) {
  vfloat e = raised_exp(magnitude(x));
  return (struct fraction){choose(x < splat(0.0f), e, splat(RAISED_ONE)), splat(RAISED_ONE) + e};
}

INLINE vfloat sigmoid(vfloat x) {
  struct fraction f = sigmoid_fraction(x);
  return f.over / f.under;
}

// tanh(x) = x + x³·P(x²) below 0.625 (minimax, 2⁻²⁷), 1 − 2e/(1 + e) with e = e^−2|x| above.
INLINE vfloat hyperbolic_tangent(vfloat x) {
  static const float c[] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c5ap-5f, 0x1.52269cp-6f, -0x1.75e1ccp-8f};
  vfloat a = magnitude(x), square = a * a;
  vfloat below = multiply_add(a * square, polynomial(square, c, 5), a);
  vfloat e = raised_exp(a + a);
  vfloat above = splat(1.0f) - (e + e) / (splat(RAISED_ONE) + e);
  return __builtin_elementwise_copysign(choose(a < splat(0.625f), below, above), x);
}

// e^(−t²/2)·2⁶⁴, 0 ≤ t ≤ 14.625: of t²/2 + n/16·ln 2 only the sum is rounded.
INLINE vfloat raised_bell(vfloat t) {
  vfloat biased = biased_integer(t * t, -0x1.715476p+3f), n = biased - splat(ROUND_BIAS);
  vfloat r = multiply_add(splat(-0.5f) * t, t, n * splat(-STEP_HIGH));
  return exp_of_parts(biased, multiply_add(n, splat(-STEP_LOW), r));
}

// Mills' ratio M(t) = Φ(−t)·e^(t²/2), 0 ≤ t ≤ 14.625, over times 2⁻⁶⁴ (minimax, 2⁻²⁶·⁴). No coefficient is negative, so
// nothing cancels.
INLINE struct fraction lowered_mills_ratio(vfloat t) {
  static const float p[] = {0x1p-65f, 0x1.c0d06p-66f, 0x1.7743f6p-67f, 0x1.4cde04p-69f, 0x1.0dc42ep-72f};
  static const float q[] = {1, 0x1.acaa6p+0f, 0x1.33d73cp+0f, 0x1.e0bcep-2f, 0x1.a136b2p-4f, 0x1.521918p-7f};
  return (struct fraction){polynomial(t, p, 5), polynomial(t, q, 6)};
}

// Φ(x) = (1 + erf(x/√2))/2, from the lower tail on both sides: Φ(−t) = e^(−t²/2)·M(t), t = |x|.
INLINE struct fraction normal_fraction(vfloat x) {
  vfloat t = at_most(magnitude(x), 14.5f); // Φ(−14.5) rounds to 0
  struct fraction m = lowered_mills_ratio(t);
  vfloat tail = raised_bell(t) * m.over;
  return (struct fraction){choose(x < splat(0.0f), tail, m.under - tail), m.under};
}

INLINE vfloat normal_distribution(vfloat x) {
  struct fraction f = normal_fraction(x);
  return f.over / f.under;
}

// max(0, x), which keeps NaN.
INLINE vfloat relu(vfloat x) { return choose(x <= splat(0.0f), splat(0.0f), x); }

// x/2·(1 + tanh(u)) = x·σ(2u), u = √(2/π)·(x + 0.044715·x³): the same formula without its cancellation below zero.
INLINE vfloat gelu_tanh(vfloat x) {
  vfloat u = x * multiply_add(x * x, splat(0x1.2444f2p-4f), splat(0x1.988454p+0f));
  return x * sigmoid(u);
}

// gate(a, b) for each lane.
INLINE vfloat apply_gate(const struct ffn_gate *gate, vfloat a, vfloat b) {
  switch (gate->kind) {
  case FFN_GLU: return a * sigmoid(b);
  case FFN_GTU: return hyperbolic_tangent(a) * sigmoid(b);
  case FFN_BILINEAR: return a * b;
  case FFN_REGLU: return relu(a) * b;
  case FFN_GEGLU: return a * normal_distribution(a) * b;
  case FFN_GEGLU_TANH: return gelu_tanh(a) * b;
  case FFN_GEGLU_QUICK: return a * sigmoid(splat(1.702f) * a) * b;
  case FFN_SWIGLU: return a * sigmoid(splat(gate->slope) * a) * b;
  case FFN_RELU2GLU: return relu(a) * relu(a) * b;
  case FFN_SWIGLU_CLAMPED: {
    vfloat g = at_most(a, gate->limit), u = at_least(at_most(b, gate->limit), -gate->limit);
    return (u + splat(1.0f)) * (g * sigmoid(splat(gate->slope) * g));
  }
  case FFN_REGLU_SIGMOID: return relu(a) * sigmoid(b);
  case FFN_GEGLU_SIGMOID: {
    struct fraction f = normal_fraction(a), s = sigmoid_fraction(b);
    return a * ((f.over * s.over) / (f.under * s.under));
  }
  }
  return splat(0.0f);
}
