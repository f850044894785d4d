#pragma once

// The gates' partial derivatives over vectors of LANES floats, in the manner of GateMath.h: fixed sequences of IEEE
// operations and fused multiply–adds, the same bits from all kernel sets.
//
// NaN stays NaN. An infinite operand of an activation gives the derivative's limit; products with an infinity or with
// zero are those of the formula. max(0, x) has the derivative 0 at 0, a clamp has 1 at its bounds.
//
// Errors, over every finite float32, each measured against float64: at most k·2⁻²³·size + m·2⁻¹⁴⁸, where
//
//   σ′, tanh′      k = 4.5, size is the result, m = 1 and 4
//   (x·S)′         = S + x·S′ passes through zero once, and size is S + |x·S′|; m is |x·u′| (|x| for GELU), at least 1:
//                  k = 4 for GELU, 3 + |u| for x·σ(u) with u = β·x rounded, 3 + 2·|u| with the cubic of the tanh form
//
// A product of such a factor with others adds half a unit for each.

#include "GateMath.h"

// σ′(x) = e/(1 + e)², e = e^−|x|: σ·(1 − σ) without its cancellation.
INLINE vfloat sigmoid_slope(vfloat x) {
  vfloat e = exp_minus(magnitude(x)), d = splat(1.0f) + e;
  return e / (d * d);
}

// tanh′(x) = 4e/(1 + e)², e = e^−2|x|: 1 − tanh² without its cancellation.
INLINE vfloat hyperbolic_tangent_slope(vfloat x) { return splat(4.0f) * sigmoid_slope(x + x); }

// max(0, x)′: 0 at 0.
INLINE vfloat relu_slope(vfloat x) { return choose(x > splat(0.0f), splat(1.0f), relu(x)); }

// clamp(x, lower, upper)′: 1 at the bounds.
INLINE vfloat clamp_slope(vfloat x, float lower, float upper) {
  vfloat inside = choose(x < splat(lower), splat(0.0f), splat(1.0f));
  return choose(x == x, choose(x > splat(upper), splat(0.0f), inside), x);
}

// (x·σ(u))′ = σ(u) + w·σ′(u) where u is odd in x and w = x·u′(x) has u's sign.
//
// With e = e^−|u| and d = 1 + e it is s = e·(d − |w|)/d² below zero, and 1 − s above: (x·σ(u))′ at x and at −x make 1.
INLINE vfloat sigmoid_product_slope(vfloat u, vfloat w) {
  vfloat e = exp_minus(magnitude(u)), d = splat(1.0f) + e;
  vfloat s = e * ((d - magnitude(w)) / (d * d));
  return choose(u < splat(0.0f), s, splat(1.0f) - s);
}

// (x·σ(βx))′ from u = βx, whose w is u itself; e⁻¹⁰⁴ rounds to 0.
INLINE vfloat swish_slope(vfloat u) {
  u = at_least(at_most(u, 104.0f), -104.0f);
  return sigmoid_product_slope(u, u);
}

// (x·Φ(x))′ = Φ(x) + x·φ(x): s = e^(−t²/2)·(M(t) − t/√(2π)) below zero, t = |x|, and 1 − s above.
INLINE vfloat gelu_slope(vfloat x) {
  vfloat t = at_most(magnitude(x), 14.625f); // s(14.625) rounds to 0
  struct fraction m = lowered_mills_ratio(t);
  vfloat s = raised_bell(t) * multiply_add(t, splat(-0x1.988454p-66f), m.over / m.under);
  return choose(x < splat(0.0f), s, splat(1.0f) - s);
}

// (x·σ(u))′, u = 2√(2/π)·(x + 0.044715·x³), the tanh form of GELU; beyond 12, e^−|u| rounds to 0.
INLINE vfloat gelu_tanh_slope(vfloat x) {
  x = at_least(at_most(x, 12.0f), -12.0f);
  vfloat square = x * x;
  vfloat u = x * multiply_add(square, splat(0x1.2444f2p-4f), splat(0x1.988454p+0f));
  vfloat w = x * multiply_add(square, splat(0x1.b6676cp-3f), splat(0x1.988454p+0f));
  return sigmoid_product_slope(u, w);
}

// ∂gate/∂a and ∂gate/∂b for each lane.
INLINE void differentiate_gate(const struct ffn_gate *gate, vfloat a, vfloat b, vfloat *by_a, vfloat *by_b) {
  switch (gate->kind) {
  case FFN_GLU:
    *by_a = sigmoid(b);
    *by_b = a * sigmoid_slope(b);
    return;
  case FFN_GTU:
    *by_a = hyperbolic_tangent_slope(a) * sigmoid(b);
    *by_b = hyperbolic_tangent(a) * sigmoid_slope(b);
    return;
  case FFN_BILINEAR:
    *by_a = b;
    *by_b = a;
    return;
  case FFN_REGLU:
    *by_a = relu_slope(a) * b;
    *by_b = relu(a);
    return;
  case FFN_GEGLU:
    *by_a = gelu_slope(a) * b;
    *by_b = a * normal_distribution(a);
    return;
  case FFN_GEGLU_TANH:
    *by_a = gelu_tanh_slope(a) * b;
    *by_b = gelu_tanh(a);
    return;
  case FFN_GEGLU_QUICK:
  case FFN_SWIGLU: {
    vfloat u = splat(gate->kind == FFN_SWIGLU ? gate->slope : 1.702f) * a;
    *by_a = swish_slope(u) * b;
    *by_b = a * sigmoid(u);
    return;
  }
  case FFN_RELU2GLU: {
    vfloat half = relu(a) * b;
    *by_a = half + half;
    *by_b = relu(a) * relu(a);
    return;
  }
  case FFN_SWIGLU_CLAMPED: {
    float limit = gate->limit;
    vfloat g = at_most(a, limit), u = at_least(at_most(b, limit), -limit), slope = splat(gate->slope) * g;
    *by_a = clamp_slope(a, -__builtin_inff(), limit) * ((u + splat(1.0f)) * swish_slope(slope));
    *by_b = clamp_slope(b, -limit, limit) * (g * sigmoid(slope));
    return;
  }
  case FFN_REGLU_SIGMOID:
    *by_a = relu_slope(a) * sigmoid(b);
    *by_b = relu(a) * sigmoid_slope(b);
    return;
  case FFN_GEGLU_SIGMOID:
    *by_a = gelu_slope(a) * sigmoid(b);
    *by_b = a * normal_distribution(a) * sigmoid_slope(b);
    return;
  }
  *by_a = *by_b = splat(0.0f);
}
