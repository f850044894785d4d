#pragma once

// What the processor could do at most, measured with the same vectors: the including file defines LANES.

#include "GateMath.h"

// Enough independent chains for two multiply–adds of latency 4 a cycle, in registers.
enum { CHAINS = LANES == 16 ? 24 : 12 };

// Multiply–adds and nothing else; returns how many. The sum of all goes to *sink, so that none can be left out.
static uint64_t multiply_adds(size_t steps, float *sink) {
  vfloat chains[CHAINS], factor = splat(*sink), term = splat(1e-6f);
#pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) chains[i] = splat((float)i);
  for (size_t step = 0; step < steps; step++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) chains[i] = multiply_add(factor, term, chains[i]);
  }
  vfloat sum = splat(0.0f);
#pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) sum += chains[i];
  *sink = sum[0];
  return (uint64_t)steps * CHAINS * LANES;
}

// Reads x[0 … count) in order and returns the exclusive or of its bits.
static uint32_t read_floats(const float *x, size_t count) {
  vint bits[8] = {0};
  for (size_t i = 0; i + 8 * LANES <= count; i += 8 * LANES) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) bits[j] ^= __builtin_bit_cast(vint, load(x + i + j * LANES));
  }
  uint32_t result = 0;
  for (int j = 0; j < 8; j++) {
    for (int lane = 0; lane < LANES; lane++) result ^= (uint32_t)bits[j][lane];
  }
  return result;
}
