#pragma once

// The loops around a kernel set's tile, the same for all of them. The including file defines LANES, TILE_ROWS and
//
//   tile(width, rows, x, w, w_step, terms, totals, totals_step, first, ahead, ahead_step)
//
// which adds the block sums of `rows` rows and `width` panels to the totals, or sets them where it is the first block.

#include "GateMath.h"

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// How many panels one tile of `rows` rows spans at once: as many as leave every sum in a register.
static inline size_t tile_width(size_t rows, size_t panels) {
  if (rows * 4 <= TILE_ROWS && panels >= 4) return 4;
  return rows * 2 <= TILE_ROWS && panels >= 2 ? 2 : 1;
}

// totals[p][row][32] = x·wᵀ for panels first_panel + p of one group, p < count.
//
// Block by block; inside a block the rows are spread evenly over tiles of at most TILE_ROWS, so that no number of
// rows leaves a thin last tile. While a panel's block is in use (it fits the first-level cache), its tiles fetch the
// next one into the second level, each tile its share.
static void sum_panels(
    const struct ffn_panels *panels, const struct ffn_rows *x, size_t first_panel, size_t count, size_t end_panel,
    float *totals) {
  size_t rows = x->rows, tiles = ffn_ceil_div(rows, TILE_ROWS);
  size_t small = rows / tiles, large_tiles = rows % tiles;
  size_t totals_step = rows * FFN_PANEL_COLUMNS, blocks = ffn_ceil_div(panels->terms, FFN_BLOCK_TERMS);
  for (size_t block = 0; block < blocks; block++) {
    size_t terms = smaller(panels->terms - block * FFN_BLOCK_TERMS, FFN_BLOCK_TERMS);
    const float *w = panels->weights + ffn_panel_block(first_panel, panels->panels, block, panels->terms);
    const float *x_block = x->base + block * x->block_step;
    for (size_t p = 0, width; p < count; p += width) {
      width = tiles == 1 ? tile_width(rows, count - p) : 1;
      const float *panel = w + p * terms * FFN_PANEL_COLUMNS, *ahead = panel;
      if (p + width < count) {
        ahead = panel + width * terms * FFN_PANEL_COLUMNS;
      } else if (block + 1 < blocks) {
        ahead = panels->weights + ffn_panel_block(first_panel, panels->panels, block + 1, panels->terms);
      } else if (first_panel + count < end_panel) {
        ahead = panels->weights + ffn_panel_block(first_panel + count, panels->panels, 0, panels->terms);
      }
      size_t ahead_step = ffn_ceil_div(width * FFN_PANEL_COLUMNS * sizeof(float), tiles);
      const char *ahead_bytes = (const char *)ahead;
      for (size_t t = 0, row = 0; t < tiles; t++) {
        size_t tile_rows = small + (t < large_tiles);
        tile(width, tile_rows, x_block + row * FFN_BLOCK_STRIDE, panel, terms * FFN_PANEL_COLUMNS, terms,
             totals + p * totals_step + row * FFN_PANEL_COLUMNS, totals_step, block == 0, ahead_bytes, ahead_step);
        row += tile_rows;
        ahead_bytes += ahead_step * terms;
      }
    }
  }
}

// Stores the first `count` of 16 floats.
INLINE void store_columns(float *y, const float *values, size_t count) {
  if (count == FFN_PAIR_COLUMNS) {
    for (size_t c = 0; c < FFN_PAIR_COLUMNS; c += LANES) store(y + c, load(values + c));
  } else {
    for (size_t c = 0; c < count; c++) y[c] = values[c];
  }
}

// hidden = gate(totals_a + bias_a, totals_b + bias_b) for the 16 columns of one pair panel.
static void finish_pair_panel(const struct ffn_gate_up *job, size_t panel, float *totals /* [rows][32] */) {
  size_t columns = job->panels.columns, first = panel * FFN_PAIR_COLUMNS;
  size_t count = smaller(columns - first, FFN_PAIR_COLUMNS);
  const float *bias = job->panels.bias + panel * FFN_PANEL_COLUMNS;
  float *blocks = job->hidden_blocks;
  if (blocks) {
    blocks += first / FFN_BLOCK_TERMS * (job->x.rows * FFN_BLOCK_STRIDE) + first % FFN_BLOCK_TERMS;
  }
  for (size_t row = 0; row < job->x.rows; row++, totals += FFN_PANEL_COLUMNS) {
    float hidden[FFN_PAIR_COLUMNS];
    for (size_t c = 0; c < FFN_PAIR_COLUMNS; c += LANES) {
      vfloat a = load(totals + c) + load(bias + c);
      vfloat b = load(totals + FFN_PAIR_COLUMNS + c) + load(bias + FFN_PAIR_COLUMNS + c);
      if (job->a) store(totals + c, a);
      if (job->b) store(totals + FFN_PAIR_COLUMNS + c, b);
      store(hidden + c, apply_gate(&job->gate, a, b));
    }
    if (blocks) store_columns(blocks + row * FFN_BLOCK_STRIDE, hidden, FFN_PAIR_COLUMNS);
    if (job->hidden) store_columns(job->hidden + row * columns + first, hidden, count);
    if (job->a) store_columns(job->a + row * columns + first, totals, count);
    if (job->b) store_columns(job->b + row * columns + first, totals + FFN_PAIR_COLUMNS, count);
  }
}

// y = totals + bias for the 32 columns of one panel.
static void finish_panel(const struct ffn_project *job, size_t panel, float *totals /* [rows][32] */) {
  size_t columns = job->panels.columns, first = panel * FFN_PANEL_COLUMNS;
  const float *bias = job->panels.bias + first;
  for (size_t row = 0; row < job->x.rows; row++, totals += FFN_PANEL_COLUMNS) {
    for (size_t c = 0; c < FFN_PANEL_COLUMNS; c += LANES) store(totals + c, load(totals + c) + load(bias + c));
    float *y = job->y + row * columns + first;
    for (size_t c = 0; c < FFN_PANEL_COLUMNS && first + c < columns; c += FFN_PAIR_COLUMNS) {
      store_columns(y + c, totals + c, smaller(columns - first - c, FFN_PAIR_COLUMNS));
    }
  }
}

// How many of the panels [panel, end_panel) stand in panel's group.
static inline size_t panels_in_group(size_t panel, size_t end_panel) {
  return smaller(end_panel - panel, FFN_GROUP_PANELS - panel % FFN_GROUP_PANELS);
}

static void gate_up(const struct ffn_gate_up *job, size_t first_panel, size_t end_panel, float *totals) {
  for (size_t panel = first_panel, count; panel < end_panel; panel += count) {
    count = panels_in_group(panel, end_panel);
    sum_panels(&job->panels, &job->x, panel, count, end_panel, totals);
    for (size_t p = 0; p < count; p++) {
      finish_pair_panel(job, panel + p, totals + p * job->x.rows * FFN_PANEL_COLUMNS);
    }
  }
}

static void project(const struct ffn_project *job, size_t first_panel, size_t end_panel, float *totals) {
  for (size_t panel = first_panel, count; panel < end_panel; panel += count) {
    count = panels_in_group(panel, end_panel);
    sum_panels(&job->panels, &job->x, panel, count, end_panel, totals);
    for (size_t p = 0; p < count; p++) {
      finish_panel(job, panel + p, totals + p * job->x.rows * FFN_PANEL_COLUMNS);
    }
  }
}

static void gate(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) store(y + i, apply_gate(gate, load(a + i), load(b + i)));
  if (i < count) {
    float a_rest[LANES] = {0}, b_rest[LANES] = {0}, y_rest[LANES];
    for (size_t c = 0; i + c < count; c++) a_rest[c] = a[i + c], b_rest[c] = b[i + c];
    store(y_rest, apply_gate(gate, load(a_rest), load(b_rest)));
    for (size_t c = 0; i + c < count; c++) y[i + c] = y_rest[c];
  }
}
