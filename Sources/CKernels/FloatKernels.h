#pragma once

// The rest of a kernel set that multiplies in float32, around its tiles. The including file defines LANES, TILE_ROWS,
// row_element = hidden_element = float, and
//
//   f32_tiles, bf16_tiles   for panels of that type: tiles[rows - 1] takes `rows` rows
//   f32_two_panels, …       the same for one row and two panels, one after the other

#include "ArrayLoops.h"
#include "Tile.h"
#include "Yardsticks.h"

static inline struct tiles tiles_of(const struct ffn_panels *panels) {
  if (panels->type == FFN_BF16) return (struct tiles){bf16_tiles, TILE_ROWS, bf16_two_panels};
  // A cache delivers faster than the chains of one panel can take; weights from memory come faster as one stream.
  size_t cached_words = (size_t)4 << 20;
  int is_cached = ffn_panels_words(panels->panels, panels->terms, FFN_F32) <= cached_words;
  return (struct tiles){f32_tiles, TILE_ROWS, is_cached ? f32_two_panels : 0};
}

#include "ConvolutionLoops.h"
#include "RowBlocks.h"

static const struct ffn_arithmetic f32_arithmetic = {block_rows, gate_up, project};
static const struct ffn_arithmetic bf16_arithmetic = {block_rows_rounding, gate_up, project};
