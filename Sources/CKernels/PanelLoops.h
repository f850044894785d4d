#pragma once

// The loops around a kernel set's tiles, the same for all of them. The including file defines LANES, TILE_ROWS,
// row_element, and
//
//   f32_tiles, bf16_tiles   for panels of that type: tiles[rows - 1] takes `rows` rows; or NULL
//   f32_two_panels, …       the same for one row and two panels, one after the other
//   store_elements(y, x)    a vector of values, exact in row elements, into a row block

#include "Tile.h"

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static inline const uint32_t *panel_block(const struct ffn_panels *panels, size_t panel, size_t block) {
  return panels->weights + ffn_panel_block(panel, panels->panels, block, panels->terms, panels->type);
}

// Whether a single row takes two panels at once. A cache delivers faster than the chains of one panel can take, and
// bf16 weights have half the bytes a chain; float32 weights from memory come faster as a single stream.
static inline int takes_two_panels(const struct ffn_panels *panels) {
  size_t cached_words = (size_t)4 << 20;
  return panels->type == FFN_BF16 || ffn_panels_words(panels->panels, panels->terms, FFN_F32) <= cached_words;
}

// totals[p][row][32] = x·wᵀ for panels first_panel + p of one group, p < count.
//
// Block by block; inside a block the rows are spread evenly over tiles of at most TILE_ROWS, so that no number of
// rows leaves a thin last tile. While a panel's block is in use, out of the nearest caches, its tiles fetch the
// next one into the second level, each tile its share.
static void sum_panels(
    const struct ffn_panels *panels, const struct ffn_rows *x, size_t first_panel, size_t count, float *totals) {
  tile_function *const *tiles = panels->type == FFN_BF16 ? bf16_tiles : f32_tiles;
  tile_function *const two_panels_tile = panels->type == FFN_BF16 ? bf16_two_panels : f32_two_panels;
  size_t rows = x->rows, tile_count = ffn_ceil_div(rows, TILE_ROWS);
  size_t tile_rows = rows / tile_count, larger_tiles = rows % tile_count;
  size_t ahead_step = ffn_ceil_div(FFN_PANEL_COLUMNS * sizeof(uint32_t), tile_count);
  size_t blocks = ffn_ceil_div(panels->terms, FFN_BLOCK_TERMS);
  for (size_t block = 0; block < blocks; block++) {
    size_t terms = smaller(panels->terms - block * FFN_BLOCK_TERMS, FFN_BLOCK_TERMS);
    size_t steps = ffn_ceil_div(terms, ffn_step_terms(panels->type)), words = steps * FFN_PANEL_COLUMNS;
    const uint32_t *w = panel_block(panels, first_panel, block);
    const row_element *x_block = (const row_element *)x->base + block * x->block_step;
    for (size_t p = 0, width; p < count; p += width, w += width * words) {
      width = rows == 1 && p + 1 < count && takes_two_panels(panels) ? 2 : 1;
      const uint32_t *next = w;
      if (p + width < count) {
        next = w + width * words;
      } else if (block + 1 < blocks) {
        next = panel_block(panels, first_panel, block + 1);
      } else if (first_panel + count < panels->panels) { // also where this call ends: the thread goes on there
        next = panel_block(panels, first_panel + count, 0);
      }
      const char *ahead = (const char *)next;
      if (width == 2) {
        two_panels_tile(x_block, w, terms, totals + p * FFN_PANEL_COLUMNS, block == 0, ahead, ahead_step);
        continue;
      }
      for (size_t t = 0, row = 0, height; t < tile_count; t++, row += height, ahead += ahead_step * steps) {
        height = tile_rows + (t < larger_tiles);
        tiles[height - 1](
            x_block + row * FFN_BLOCK_STRIDE, w, terms, totals + (p * rows + row) * FFN_PANEL_COLUMNS, block == 0,
            ahead, ahead_step);
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

// Row-major x [rows, terms] in row blocks, rounded to bf16.
static void block_rows_rounding(const float *x, size_t rows, size_t terms, void *blocks) {
  row_element *y = blocks;
  for (size_t first = 0; first < terms; first += FFN_BLOCK_TERMS) {
    size_t length = smaller(terms - first, FFN_BLOCK_TERMS);
    for (size_t r = 0; r < rows; r++, y += FFN_BLOCK_STRIDE) {
      const float *source = x + r * terms + first;
      size_t k = 0;
      for (; k + LANES <= length; k += LANES) store_elements(y + k, round_to_bf16(load(source + k)));
      if (k == length) continue;
      float rest[LANES] = {0}; // an odd last term is paired with a zero
      for (size_t i = k; i < length; i++) rest[i - k] = source[i];
      store_elements(y + k, round_to_bf16(load(rest)));
    }
  }
}

// hidden = gate(totals_a + bias_a, totals_b + bias_b) for the 16 columns of one pair panel.
static void finish_pair_panel(const struct ffn_gate_up *job, size_t panel, float *totals /* [rows][32] */) {
  size_t columns = job->panels.columns, first = panel * FFN_PAIR_COLUMNS;
  size_t count = smaller(columns - first, FFN_PAIR_COLUMNS);
  const float *bias = job->panels.bias + panel * FFN_PANEL_COLUMNS;
  row_element *blocks = job->hidden_blocks;
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
