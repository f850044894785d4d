// AVX-512: tiles of up to 12 rows × 32 outputs in 24 of the 32 registers.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,fma"))), apply_to = function)

#define LANES 16
#define TILE_ROWS 12
#include "VectorTile.h"

TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)

static tile_function *const f32_tiles[TILE_ROWS] = {
    f32_tile_1, f32_tile_2, f32_tile_3, f32_tile_4,  f32_tile_5,  f32_tile_6,
    f32_tile_7, f32_tile_8, f32_tile_9, f32_tile_10, f32_tile_11, f32_tile_12};
static tile_function *const bf16_tiles[TILE_ROWS] = {
    bf16_tile_1, bf16_tile_2, bf16_tile_3, bf16_tile_4,  bf16_tile_5,  bf16_tile_6,
    bf16_tile_7, bf16_tile_8, bf16_tile_9, bf16_tile_10, bf16_tile_11, bf16_tile_12};

#include "FloatKernels.h"

#pragma clang attribute pop

const struct ffn_kernels ffn_kernels_avx512 = {
    "avx512", &f32_arithmetic, &bf16_arithmetic, &ffn_avx512_integer_arithmetic, convolve, gate,
    gate_derivatives, multiply_adds, multiply_adds, ffn_avx512_integer_multiply_adds, read_floats};

// The same with the products of bytes in one instruction.
const struct ffn_kernels ffn_kernels_avx512_vnni = {
    "avx512_vnni", &f32_arithmetic, &bf16_arithmetic, &ffn_vnni_arithmetic, convolve, gate, gate_derivatives,
    multiply_adds, multiply_adds, ffn_vnni_multiply_adds, read_floats};

// The same with pairs of bf16 multiplied in hardware as well.
const struct ffn_kernels ffn_kernels_avx512_bf16 = {
    "avx512_bf16", &f32_arithmetic, &ffn_bf16_arithmetic, &ffn_vnni_arithmetic, convolve, gate, gate_derivatives,
    multiply_adds, ffn_bf16_multiply_adds, ffn_vnni_multiply_adds, read_floats};

#endif
