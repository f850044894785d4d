#pragma once

// The gates' formulas over vectors of LANES floats: the including file defines LANES and the target.
//
// Every function is a fixed sequence of IEEE operations and fused multiply–adds, so all kernel sets return the same
// bits. NaN stays NaN; an infinity gives what its formula gives (σ(−∞) = 0, so −∞·σ(−∞) is NaN).
//
// Errors, over every finite float32, in units in the last place (a subnormal's unit is 2⁻¹⁴⁹):
//   sigmoid 2.5, tanh 1.5, Φ 6, the products x·σ(x) 3.25 and x·Φ(x) 6.5, each measured against float64 (`make scan`);
//   an argument u of σ that was rounded adds |u|, and where σ or Φ is subnormal its error of 2⁻¹⁵⁰ is multiplied by |x|.

#include "CKernels.h"

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

// 2ⁿ for −126 ≤ n ≤ 127.
INLINE vfloat power_of_two(vint n) { return __builtin_bit_cast(vfloat, (n + 127) << 23); }

// e^(x + tail), x ≤ 0, |tail| ≤ 2⁻²⁴·|x|: 1 unit.
//
// n = round(x·log₂e), r = x − n·ln 2 in two parts, e^r = 1 + r + r²·P(r) on |r| ≤ 0.347 (minimax, 2⁻²⁸). The scale 2ⁿ
// is applied in two factors, since n reaches −150.
INLINE vfloat exp_nonpositive(vfloat x, vfloat tail) {
  static const float c[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23dp-10f};
  const float round_bias = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
  x = choose(x < splat(-104.0f), splat(-104.0f), x); // e⁻¹⁰⁴ rounds to 0
  vfloat biased = multiply_add(x, splat(0x1.715476p+0f), splat(round_bias));
  vfloat n = biased - splat(round_bias);
  vfloat r = multiply_add(n, splat(-0x1.62e4p-1f), x); // exact: the factor has 15 bits
  r = multiply_add(n, splat(-0x1.7f7d1cp-20f), r) + tail;
  vfloat y = multiply_add(r * r, polynomial(r, c, 5), r) + splat(1.0f);
  vint exponent = __builtin_bit_cast(vint, biased) - (vint)0x4B400000;
  vint half = exponent >> 1;
  return y * power_of_two(half) * power_of_two(exponent - half);
}

// σ(x) = 1/(1 + e⁻ˣ), from e^−|x| on both sides, which never overflows and cancels nowhere.
INLINE vfloat sigmoid(vfloat x) {
  vfloat e = exp_nonpositive(-magnitude(x), splat(0.0f));
  return choose(x < splat(0.0f), e, splat(1.0f)) / (splat(1.0f) + e);
}

// tanh(x) = x + x³·P(x²) below 0.625 (minimax, 2⁻²⁷), 1 − 2e/(1 + e) with e = e^−2|x| above.
INLINE vfloat hyperbolic_tangent(vfloat x) {
  static const float c[] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c5ap-5f, 0x1.52269cp-6f, -0x1.75e1ccp-8f};
  vfloat a = magnitude(x), square = a * a;
  vfloat below = multiply_add(a * square, polynomial(square, c, 5), a);
  vfloat e = exp_nonpositive(splat(-2.0f) * a, splat(0.0f));
  vfloat above = splat(1.0f) - (e + e) / (splat(1.0f) + e);
  return __builtin_elementwise_copysign(choose(a < splat(0.625f), below, above), x);
}

// e^(−t²/2), 0 ≤ t ≤ 14.5, with t²/2 carried in two parts.
INLINE vfloat bell(vfloat t) {
  vfloat half = splat(-0.5f) * t, exponent = half * t;
  return exp_nonpositive(exponent, multiply_add(half, t, -exponent));
}

// Mills' ratio M(t) = Φ(−t)·e^(t²/2), 0 ≤ t ≤ 14.5: P(q)/(t + 7/2), q = (t − 7/2)/(t + 7/2) (minimax, 2⁻²⁷).
INLINE vfloat mills_ratio(vfloat t) {
  static const float c[] = {0x1.7d241ap-1f,  -0x1.219150p-1f, 0x1.42fec8p-2f,  -0x1.db5a6ep-4f, 0x1.1d2fa4p-6f,
                            0x1.a98866p-8f,  -0x1.a031b6p-9f, -0x1.037e18p-11f, 0x1.ba63eep-12f, 0x1.d0428ap-14f};
  vfloat reciprocal = splat(1.0f) / (t + splat(3.5f));
  return polynomial((t - splat(3.5f)) * reciprocal, c, 10) * reciprocal;
}

// Φ(x) = (1 + erf(x/√2))/2, from the lower tail on both sides: Φ(−t) = e^(−t²/2)·M(t), t = |x|.
INLINE vfloat normal_distribution(vfloat x) {
  vfloat t = magnitude(x);
  t = choose(t > splat(14.5f), splat(14.5f), t); // Φ(−14.5) rounds to 0
  vfloat tail = bell(t) * mills_ratio(t);
  return choose(x < splat(0.0f), tail, splat(1.0f) - tail);
}

// max(0, x), which keeps NaN.
INLINE vfloat relu(vfloat x) { return choose(x <= splat(0.0f), splat(0.0f), x); }

// min(x, upper), max(x, lower), which keep NaN.
INLINE vfloat at_most(vfloat x, float upper) { return choose(x > splat(upper), splat(upper), x); }
INLINE vfloat at_least(vfloat x, float lower) { return choose(x < splat(lower), splat(lower), x); }

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
  case FFN_GEGLU_SIGMOID: return a * normal_distribution(a) * sigmoid(b);
  }
  return splat(0.0f);
}
