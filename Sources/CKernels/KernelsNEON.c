// NEON, which every arm64 processor has: tiles of up to 3 rows × 32 outputs in 24 of the 32 registers.

#if defined(__aarch64__)

#include "KernelSets.h"

#define LANES 4
#define TILE_ROWS 3
#include "VectorTile.h"

TILE(1) TILE(2) TILE(3)

static tile_function *const f32_tiles[TILE_ROWS] = {f32_tile_1, f32_tile_2, f32_tile_3};
static tile_function *const bf16_tiles[TILE_ROWS] = {bf16_tile_1, bf16_tile_2, bf16_tile_3};

#include "FloatKernels.h"

const struct ffn_kernels ffn_kernels_neon = {
    "neon", &f32_arithmetic, &bf16_arithmetic, &ffn_neon_integer_arithmetic, convolve, gate,
    gate_derivatives, multiply_adds, multiply_adds, ffn_neon_integer_multiply_adds, read_floats};

#endif
