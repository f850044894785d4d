// AVX-512: tiles of up to 12 rows × 32 outputs in 24 of the 32 registers.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)

#define LANES 16
#define TILE_ROWS 12
#include "VectorTile.h"

TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)

static tile_function *const tiles[TILE_ROWS] = {tile_1, tile_2, tile_3, tile_4,  tile_5,  tile_6,
                                                tile_7, tile_8, tile_9, tile_10, tile_11, tile_12};

#include "PanelLoops.h"
#include "Yardsticks.h"

#pragma clang attribute pop

const struct ffn_kernels ffn_kernels_avx512 = {"avx512", gate_up, project, gate, multiply_adds, read_floats};

#endif
