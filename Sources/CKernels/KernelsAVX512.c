// AVX-512: tiles of 12 rows × 32 outputs in 24 of the 32 registers; 6 × 64 and 3 × 128 for fewer rows.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)

#define LANES 16
#define TILE_ROWS 12
#include "VectorTile.h"

TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6)
TILE(1, 7) TILE(1, 8) TILE(1, 9) TILE(1, 10) TILE(1, 11) TILE(1, 12)
TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4) TILE(2, 5) TILE(2, 6)
TILE(4, 1) TILE(4, 2) TILE(4, 3)

static void tile(
    size_t width, size_t rows, const float *x, const float *w, size_t w_step, size_t terms, float *totals,
    size_t totals_step, int first, const char *ahead, size_t ahead_step) {
  static tile_function *const tiles[][TILE_ROWS] = {
      {tile_1x1, tile_1x2, tile_1x3, tile_1x4, tile_1x5, tile_1x6, tile_1x7, tile_1x8, tile_1x9, tile_1x10, tile_1x11,
       tile_1x12},
      {tile_2x1, tile_2x2, tile_2x3, tile_2x4, tile_2x5, tile_2x6},
      {tile_4x1, tile_4x2, tile_4x3},
  };
  tiles[width / 2][rows - 1](x, w, w_step, terms, totals, totals_step, first, ahead, ahead_step);
}

#include "PanelLoops.h"

#pragma clang attribute pop

const struct ffn_kernels ffn_kernels_avx512 = {"avx512", gate_up, project, gate};

#endif
