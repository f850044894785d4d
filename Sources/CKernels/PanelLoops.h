#pragma once

// The loops around a kernel set's tiles, the same for all of them. The including file defines LANES, ROW_STRIDE,
// row_element, and
//
//   tiles_of(panels)        the tiles for panels of that type
//   hidden_element          what hidden values become in their row blocks
//   store_elements(y, x)    a vector of values, exact in hidden elements, into a row block

#include "Tile.h"

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static inline const uint32_t *panel_block(const struct ffn_panels *panels, size_t panel, size_t block) {
  return panels->weights + ffn_panel_block(panel, panels->panels, block, panels->terms, panels->type);
}

// totals[p][row][32] (+)= x·wᵀ for panels first_panel + p of one group, p < count: set, or added to where `adds`.
//
// Block by block; inside a block the rows are spread evenly over as few tiles as they need, so that no number of
// rows leaves a thin last tile. While a panel's block is in use, out of the nearest caches, its tiles fetch the
// next one into the second level, each tile its share. What is read after the last of them stands at `after`.
static void add_panels(
    const struct ffn_panels *panels, const struct ffn_rows *x, size_t first_panel, size_t count, float *totals, int adds,
    const uint32_t *after) {
  const struct tiles tiles = tiles_of(panels);
  size_t rows = x->rows, tile_count = ffn_ceil_div(rows, tiles.rows);
  size_t tile_rows = rows / tile_count, larger_tiles = rows % tile_count;
  size_t ahead_step = ffn_ceil_div(ffn_step_words(panels->type) * sizeof(uint32_t), tile_count);
  size_t blocks = ffn_ceil_div(panels->terms, FFN_BLOCK_TERMS);
  for (size_t block = 0; block < blocks; block++) {
    size_t terms = smaller(panels->terms - block * FFN_BLOCK_TERMS, FFN_BLOCK_TERMS);
    size_t steps = ffn_ceil_div(terms, ffn_step_terms(panels->type)), words = ffn_panel_words(terms, panels->type);
    const uint32_t *w = panel_block(panels, first_panel, block);
    const row_element *x_block = (const row_element *)x->base + block * x->block_step;
    for (size_t p = 0, width; p < count; p += width, w += width * words) {
      width = rows == 1 && p + 1 < count && tiles.two_panels ? 2 : 1;
      const uint32_t *next = after;
      if (p + width < count) {
        next = w + width * words;
      } else if (block + 1 < blocks) {
        next = panel_block(panels, first_panel, block + 1);
      }
      const char *ahead = (const char *)next;
      if (width == 2) {
        tiles.two_panels(x_block, w, terms, totals + p * FFN_PANEL_COLUMNS, !adds && block == 0, ahead, ahead_step);
        continue;
      }
      for (size_t t = 0, row = 0, height; t < tile_count; t++, row += height, ahead += ahead_step * steps) {
        height = tile_rows + (t < larger_tiles);
        tiles.of_rows[height - 1](
            x_block + row * ROW_STRIDE, w, terms, totals + (p * rows + row) * FFN_PANEL_COLUMNS,
            !adds && block == 0, ahead, ahead_step);
      }
    }
  }
}

// The group after the one at first_panel, also where this call ends, since the thread goes on there; or else the same.
static inline const uint32_t *next_group(const struct ffn_panels *panels, size_t first_panel, size_t count) {
  return panel_block(panels, first_panel + count < panels->panels ? first_panel + count : first_panel, 0);
}

// totals[p][row][32] = x·wᵀ
static void sum_panels(
    const struct ffn_panels *panels, const struct ffn_rows *x, size_t first_panel, size_t count, float *totals) {
  add_panels(panels, x, first_panel, count, totals, 0, next_group(panels, first_panel, count));
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
  hidden_element *blocks = job->hidden_blocks;
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
      vfloat value = apply_gate(&job->gate, a, b);
      if (job->rounds_hidden) value = round_to_bf16(value);
      if (blocks) store_elements(blocks + row * FFN_BLOCK_STRIDE + c, value);
      if (job->hidden) store(hidden + c, value);
    }
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
    sum_panels(&job->panels, &job->x, panel, count, totals);
    for (size_t p = 0; p < count; p++) {
      finish_pair_panel(job, panel + p, totals + p * job->x.rows * FFN_PANEL_COLUMNS);
    }
  }
}

static void project(const struct ffn_project *job, size_t first_panel, size_t end_panel, float *totals) {
  for (size_t panel = first_panel, count; panel < end_panel; panel += count) {
    count = panels_in_group(panel, end_panel);
    sum_panels(&job->panels, &job->x, panel, count, totals);
    for (size_t p = 0; p < count; p++) {
      finish_panel(job, panel + p, totals + p * job->x.rows * FFN_PANEL_COLUMNS);
    }
  }
}
