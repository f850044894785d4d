// The portable reference, which the vector kernel sets are held to, bit by bit. On a processor whose baseline has no
// fused multiply–add, each one is a call of the C library: correct, and slow.

#include "KernelSets.h"

#define LANES 1
#define TILE_ROWS 1
#include "GateMath.h"

typedef void tile_function(
    const float *x, const float *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step);

// totals[32] (+)= Σ_k x[k]·w[k][32]
static void tile_1(
    const float *x, const float *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  for (size_t c = 0; c < FFN_PANEL_COLUMNS; c++) {
    float sum = 0;
    for (size_t k = 0; k < terms; k++) sum = __builtin_fmaf(x[k], w[k * FFN_PANEL_COLUMNS + c], sum);
    totals[c] = first ? sum : totals[c] + sum;
  }
}

static tile_function *const tiles[TILE_ROWS] = {tile_1};

#include "PanelLoops.h"
#include "Yardsticks.h"

const struct ffn_kernels ffn_kernels_scalar = {"scalar", gate_up, project, gate, multiply_adds, read_floats};
