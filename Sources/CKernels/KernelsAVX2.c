// AVX2 with FMA: tiles of 3 rows × 32 outputs in 12 of the 16 registers.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LANES 8
#define TILE_ROWS 3
#include "VectorTile.h"

TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(2, 1)

static void tile(
    size_t width, size_t rows, const float *x, const float *w, size_t w_step, size_t terms, float *totals,
    size_t totals_step, int first, const char *ahead, size_t ahead_step) {
  static tile_function *const tiles[][TILE_ROWS] = {{tile_1x1, tile_1x2, tile_1x3}, {tile_2x1}};
  tiles[width / 2][rows - 1](x, w, w_step, terms, totals, totals_step, first, ahead, ahead_step);
}

#include "PanelLoops.h"

#pragma clang attribute pop

const struct ffn_kernels ffn_kernels_avx2 = {"avx2", gate_up, project, gate};

#endif
