// AVX-512 with pairs of bf16 multiplied in hardware; float32 arithmetic is that of the AVX-512 set.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,fma"))), apply_to = function)

#define LANES 16
#define TILE_ROWS 12
#include "DotTile.h"

TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)

static tile_function *const bf16_tiles[TILE_ROWS] = {
    dot_tile_1, dot_tile_2, dot_tile_3, dot_tile_4,  dot_tile_5,  dot_tile_6,
    dot_tile_7, dot_tile_8, dot_tile_9, dot_tile_10, dot_tile_11, dot_tile_12};

static inline struct tiles tiles_of(const struct ffn_panels *panels) {
  (void)panels; // bf16 arithmetic has one type
  return (struct tiles){bf16_tiles, TILE_ROWS, bf16_two_panels};
}

#include "PanelLoops.h"
#include "RowBlocks.h"

// Dot products of pairs and nothing else; returns the multiply–adds.
uint64_t ffn_bf16_multiply_adds(size_t steps, float *sink) {
  vfloat chains[24];
  vint factor = (vint)0x3C003C00, term = (vint)__builtin_bit_cast(int32_t, *sink);
  UNROLLED for (int i = 0; i < 24; i++) chains[i] = splat((float)i);
  for (size_t step = 0; step < steps; step++) {
    UNROLLED for (int i = 0; i < 24; i++) chains[i] = dot_add(factor, term, chains[i]);
  }
  vfloat sum = splat(0.0f);
  UNROLLED for (int i = 0; i < 24; i++) sum += chains[i];
  *sink = sum[0];
  return (uint64_t)steps * 24 * LANES * 2;
}

#pragma clang attribute pop

const struct ffn_arithmetic ffn_bf16_arithmetic = {block_rows_rounding, gate_up, project};

#endif
