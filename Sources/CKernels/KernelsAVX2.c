// AVX2 with FMA: tiles of up to 3 rows × 32 outputs in 12 of the 16 registers.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LANES 8
#define TILE_ROWS 3
#include "VectorTile.h"

TILE(1) TILE(2) TILE(3)

static tile_function *const f32_tiles[TILE_ROWS] = {f32_tile_1, f32_tile_2, f32_tile_3};
static tile_function *const bf16_tiles[TILE_ROWS] = {bf16_tile_1, bf16_tile_2, bf16_tile_3};

#include "FloatKernels.h"

#pragma clang attribute pop

const struct ffn_kernels ffn_kernels_avx2 = {
    "avx2", &f32_arithmetic, &bf16_arithmetic, &ffn_avx2_integer_arithmetic, convolve, gate,
    gate_derivatives, multiply_adds, multiply_adds, ffn_avx2_integer_multiply_adds, read_floats};

#endif
