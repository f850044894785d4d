// The portable reference, which the vector kernel sets are held to, bit by bit. On a processor whose baseline has no
// fused multiply–add, each one is a call of the C library: correct, and slow.

#include "KernelSets.h"

#define LANES 1
#define TILE_ROWS 1
#include "GateMath.h"

// totals[32] (+)= Σ_k x[k]·w[k][32]; one row, one panel.
static void tile(
    size_t width, size_t rows, const float *x, const float *w, size_t w_step, size_t terms, float *totals,
    size_t totals_step, int first, const char *ahead, size_t ahead_step) {
  (void)width, (void)rows, (void)w_step, (void)totals_step, (void)ahead, (void)ahead_step;
  for (size_t c = 0; c < FFN_PANEL_COLUMNS; c++) {
    float sum = 0;
    for (size_t k = 0; k < terms; k++) sum = __builtin_fmaf(x[k], w[k * FFN_PANEL_COLUMNS + c], sum);
    totals[c] = first ? sum : totals[c] + sum;
  }
}

#include "PanelLoops.h"

const struct ffn_kernels ffn_kernels_scalar = {"scalar", gate_up, project, gate};
