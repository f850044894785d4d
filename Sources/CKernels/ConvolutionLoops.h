#pragma once

// A gated convolution on a kernel set's float32 tiles. The taps are projections of the same rows, each from one row
// later on, so nothing of the input is copied for them.

#include "PanelLoops.h"

static void convolve(const struct ffn_convolution *job, size_t first_panel, size_t end_panel, float *totals) {
  const struct ffn_panels *taps = job->taps;
  for (size_t panel = first_panel, count; panel < end_panel; panel += count) {
    count = panels_in_group(panel, end_panel);
    for (size_t tap = 0; tap < job->tap_count; tap++) {
      struct ffn_rows x = job->first.x;
      x.base = (row_element *)x.base + tap * FFN_BLOCK_STRIDE;
      const uint32_t *after =
          tap + 1 < job->tap_count ? panel_block(&taps[tap + 1], panel, 0) : next_group(&taps[0], panel, count);
      add_panels(&taps[tap], &x, panel, count, totals, tap > 0, after);
    }
    for (size_t p = 0; p < count; p++) {
      finish_pair_panel(&job->first, panel + p, totals + p * job->first.x.rows * FFN_PANEL_COLUMNS);
    }
  }
}
