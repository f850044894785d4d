#pragma once

// What a kernel set does outside of the panels: the including file defines LANES.

#include "GateDerivatives.h"

// y = gate(a, b); the last few in a vector filled up with zeros.
static void gate(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, apply_gate(gate, load(a + i), load(b + i)));
  if (i < count) {
    float a_rest[LANES] = {0}, b_rest[LANES] = {0}, y_rest[LANES];
    for (size_t c = 0; i + c < count; c++) a_rest[c] = a[i + c], b_rest[c] = b[i + c];
    store(y_rest, apply_gate(gate, load(a_rest), load(b_rest)));
    for (size_t c = 0; i + c < count; c++) y[i + c] = y_rest[c];
  }
}

// by_a = ∂gate/∂a, by_b = ∂gate/∂b; the last few as above.
static void gate_derivatives(
    const struct ffn_gate *gate, const float *a, const float *b, float *by_a, float *by_b, size_t count) {
  vfloat slope_a, slope_b;
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    differentiate_gate(gate, load(a + i), load(b + i), &slope_a, &slope_b);
    store(by_a + i, slope_a);
    store(by_b + i, slope_b);
  }
  if (i < count) {
    float a_rest[LANES] = {0}, b_rest[LANES] = {0}, by_a_rest[LANES], by_b_rest[LANES];
    for (size_t c = 0; i + c < count; c++) a_rest[c] = a[i + c], b_rest[c] = b[i + c];
    differentiate_gate(gate, load(a_rest), load(b_rest), &slope_a, &slope_b);
    store(by_a_rest, slope_a);
    store(by_b_rest, slope_b);
    for (size_t c = 0; i + c < count; c++) by_a[i + c] = by_a_rest[c], by_b[i + c] = by_b_rest[c];
  }
}
