#pragma once

// What a kernel set does outside of the panels: the including file defines LANES.

#include "GateDerivatives.h"

#include <string.h>

// Row-major x [rows, terms] in row blocks of float32.
static void block_rows(const float *x, size_t rows, size_t terms, void *blocks) {
  float *y = blocks;
  for (size_t first = 0; first < terms; first += FFN_BLOCK_TERMS) {
    size_t length = terms - first < FFN_BLOCK_TERMS ? terms - first : FFN_BLOCK_TERMS;
    for (size_t r = 0; r < rows; r++, y += FFN_BLOCK_STRIDE) {
      memcpy(y, x + r * terms + first, length * sizeof(float));
    }
  }
}

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
