// Integer arithmetic of the portable reference, term by term.

#include "KernelSets.h"

#define LANES 1

typedef int8_t row_element;
typedef float hidden_element;

#include "ByteRows.h"
#include "Tile.h"

enum { ROW_STRIDE = FFN_BYTE_BLOCK_STRIDE };

INLINE void store_elements(float *y, vfloat x) { store(y, x); }

static void int8_tile(
    const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  const struct ffn_byte_block *row = (const struct ffn_byte_block *)x;
  const uint32_t *words = w + FFN_PANEL_COLUMNS;
  for (size_t c = 0; c < FFN_PANEL_COLUMNS; c++) {
    int32_t sum = 0;
    for (size_t k = 0; k < terms; k++) {
      int32_t byte = words[k / 4 * FFN_PANEL_COLUMNS + c] >> (k % 4 * 8) & 0xFF;
      sum += row->terms[k] * (byte - 128);
    }
    float scale = row->scale * __builtin_bit_cast(float, w[c]);
    totals[c] = first ? (float)sum * scale : __builtin_fmaf((float)sum, scale, totals[c]);
  }
}

static void int4_tile(
    const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  const struct ffn_byte_block *row = (const struct ffn_byte_block *)x;
  for (size_t c = 0; c < FFN_PANEL_COLUMNS; c++) {
    float block_sum = 0;
    const uint32_t *words = w;
    for (size_t k = 0; k < terms; words += ffn_step_words(FFN_INT4)) {
      int32_t sum = 0;
      for (size_t i = 0; i < FFN_QUANTISATION_TERMS && k < terms; i++, k++) {
        int32_t nibble = words[i / 8 * FFN_PANEL_COLUMNS + c] >> (i % 4 * 8 + i % 8 / 4 * 4) & 0xF;
        sum += row->terms[k] * (nibble - 8);
      }
      uint32_t pair = words[4 * FFN_PANEL_COLUMNS + c % 16];
      float scale = __builtin_bit_cast(float, c < 16 ? pair << 16 : pair & 0xFFFF0000);
      block_sum = __builtin_fmaf((float)sum, scale, block_sum);
    }
    totals[c] = first ? block_sum * row->scale : __builtin_fmaf(block_sum, row->scale, totals[c]);
  }
}

static tile_function *const int8_tiles[] = {int8_tile};
static tile_function *const int4_tiles[] = {int4_tile};

static inline struct tiles tiles_of(const struct ffn_panels *panels) {
  return (struct tiles){panels->type == FFN_INT4 ? int4_tiles : int8_tiles, 1, 0};
}

#include "PanelLoops.h"

// Products of bytes, four to a sum.
uint64_t ffn_scalar_integer_multiply_adds(size_t steps, float *sink) {
  enum { CHAINS = 8 };
  int32_t chains[CHAINS] = {0}, term = __builtin_bit_cast(int32_t, *sink);
  for (size_t step = 0; step < steps; step++) {
    for (int i = 0; i < CHAINS; i++) {
      for (int byte = 0; byte < 4; byte++) chains[i] = (int32_t)((uint32_t)chains[i] + (uint32_t)((term >> 8 * byte) * i));
    }
  }
  int64_t sum = 0;
  for (int i = 0; i < CHAINS; i++) sum += chains[i];
  *sink = (float)sum;
  return (uint64_t)steps * CHAINS * 4;
}

const struct ffn_arithmetic ffn_scalar_integer_arithmetic = {quantise_rows, gate_up, project};
