#pragma once

// What a kernel set does outside of the panels: the including file defines LANES.

#include "GateDerivatives.h"

// Results of so many floats and more go past the caches: they would only push out what is in them, and a line that is
// overwritten whole need not be read first. Arrays of this size are in no cache of a core's own.
enum { STREAMED_FLOATS = 1 << 20 };

// Fewer than a vector, filled up with zeros.
INLINE void gate_rest(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count) {
  float a_rest[LANES] = {0}, b_rest[LANES] = {0}, y_rest[LANES];
  for (size_t c = 0; c < count; c++) a_rest[c] = a[c], b_rest[c] = b[c];
  store(y_rest, apply_gate(gate, load(a_rest), load(b_rest)));
  for (size_t c = 0; c < count; c++) y[c] = y_rest[c];
}

// The loop stands once for each kind, which is a constant to it.
INLINE void gate_of_kind(
    enum ffn_gate_kind kind, const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count) {
  const struct ffn_gate known = {kind, gate->slope, gate->limit};
  size_t i = 0;
  if (count >= STREAMED_FLOATS) {
    i = (size_t)(-(uintptr_t)y / sizeof(float) % LANES);
    gate_rest(&known, a, b, y, i);
    for (; i + LANES <= count; i += LANES) {
      __builtin_nontemporal_store(apply_gate(&known, load(a + i), load(b + i)), (vfloat *)(y + i));
    }
    // Such stores are ordered with no others: whoever is told of the result must find it.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
  } else {
    for (; i + LANES <= count; i += LANES) store(y + i, apply_gate(&known, load(a + i), load(b + i)));
  }
  gate_rest(&known, a + i, b + i, y + i, count - i);
}

// y = gate(a, b)
static void gate(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count) {
  switch (gate->kind) {
  case FFN_GLU: return gate_of_kind(FFN_GLU, gate, a, b, y, count);
  case FFN_GTU: return gate_of_kind(FFN_GTU, gate, a, b, y, count);
  case FFN_BILINEAR: return gate_of_kind(FFN_BILINEAR, gate, a, b, y, count);
  case FFN_REGLU: return gate_of_kind(FFN_REGLU, gate, a, b, y, count);
  case FFN_GEGLU: return gate_of_kind(FFN_GEGLU, gate, a, b, y, count);
  case FFN_GEGLU_TANH: return gate_of_kind(FFN_GEGLU_TANH, gate, a, b, y, count);
  case FFN_GEGLU_QUICK: return gate_of_kind(FFN_GEGLU_QUICK, gate, a, b, y, count);
  case FFN_SWIGLU: return gate_of_kind(FFN_SWIGLU, gate, a, b, y, count);
  case FFN_RELU2GLU: return gate_of_kind(FFN_RELU2GLU, gate, a, b, y, count);
  case FFN_SWIGLU_CLAMPED: return gate_of_kind(FFN_SWIGLU_CLAMPED, gate, a, b, y, count);
  case FFN_REGLU_SIGMOID: return gate_of_kind(FFN_REGLU_SIGMOID, gate, a, b, y, count);
  case FFN_GEGLU_SIGMOID: return gate_of_kind(FFN_GEGLU_SIGMOID, gate, a, b, y, count);
  }
}

// by_a = g·∂gate/∂a, by_b = g·∂gate/∂b, for whole vectors; without g the derivatives.
INLINE void differentiate_vectors(
    const struct ffn_gate *gate, const float *a, const float *b, const float *g, float *by_a, float *by_b,
    size_t count) {
  for (size_t i = 0; i + LANES <= count; i += LANES) {
    vfloat slope_a, slope_b;
    differentiate_gate(gate, load(a + i), load(b + i), &slope_a, &slope_b);
    store(by_a + i, g ? load(g + i) * slope_a : slope_a);
    store(by_b + i, g ? load(g + i) * slope_b : slope_b);
  }
}

// The same for any count; the last few as above.
static void gate_derivatives(
    const struct ffn_gate *gate, const float *a, const float *b, const float *g, float *by_a, float *by_b,
    size_t count) {
  differentiate_vectors(gate, a, b, g, by_a, by_b, count);
  size_t rest = count % LANES, i = count - rest;
  if (rest == 0) return;
  float a_rest[LANES] = {0}, b_rest[LANES] = {0}, g_rest[LANES] = {0}, by_a_rest[LANES], by_b_rest[LANES];
  for (size_t c = 0; c < rest; c++) a_rest[c] = a[i + c], b_rest[c] = b[i + c], g_rest[c] = g ? g[i + c] : 1;
  differentiate_vectors(gate, a_rest, b_rest, g ? g_rest : NULL, by_a_rest, by_b_rest, LANES);
  for (size_t c = 0; c < rest; c++) by_a[i + c] = by_a_rest[c], by_b[i + c] = by_b_rest[c];
}
