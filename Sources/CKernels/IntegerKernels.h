#pragma once

// The rest of a kernel set in integer arithmetic, around its tiles. The including file defines what IntegerTile.h asks
// for, and int8_tiles, int4_tiles: tiles[rows - 1] takes `rows` rows.

#include "ByteRows.h"
#include "IntegerTile.h"

static inline struct tiles tiles_of(const struct ffn_panels *panels) {
  if (panels->type == FFN_INT4) return (struct tiles){int4_tiles, INT4_TILE_ROWS, 0};
  return (struct tiles){int8_tiles, INT8_TILE_ROWS, 0};
}

#include "PanelLoops.h"

// Dot products of bytes and nothing else; returns the multiply–adds.
static uint64_t integer_multiply_adds(size_t steps, float *sink) {
  enum { CHAINS = LANES == 16 ? 24 : 8 };
  vint chains[CHAINS], factor = (vint)0x01010101, term = (vint)__builtin_bit_cast(int32_t, *sink);
  UNROLLED for (int i = 0; i < CHAINS; i++) chains[i] = (vint)i;
  for (size_t step = 0; step < steps; step++) {
    UNROLLED for (int i = 0; i < CHAINS; i++) chains[i] = dot(chains[i], factor, term);
  }
  vint sum = (vint)0;
  UNROLLED for (int i = 0; i < CHAINS; i++) sum += chains[i];
  *sink = (float)sum[0];
  return (uint64_t)steps * CHAINS * LANES * 4;
}
