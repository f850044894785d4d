// What bytes and nibbles stand for, as transposed panels of float32, in vectors of four that every processor has.

#define LANES 4

#include "CKernels.h"
#include "Rotation.h"

// The weights of one output in a block, [terms], turned back: H/√n is its own inverse.
static void int8_column(const uint32_t *panel, size_t column, size_t terms, float *values) {
  float scale = __builtin_bit_cast(float, panel[column]);
  const uint32_t *words = panel + FFN_PANEL_COLUMNS + column;
  for (size_t k = 0; k < terms; k++) {
    int32_t byte = words[k / 4 * FFN_PANEL_COLUMNS] >> (k % 4 * 8) & 0xFF;
    values[k] = (float)(byte - 128) * scale;
  }
}

static void int4_column(const uint32_t *panel, size_t column, size_t terms, float *values) {
  for (size_t k = 0; k < terms; k++) {
    size_t i = k % FFN_QUANTISATION_TERMS;
    const uint32_t *group = panel + k / FFN_QUANTISATION_TERMS * ffn_step_words(FFN_INT4);
    uint32_t scales = group[4 * FFN_PANEL_COLUMNS + column % 16];
    int32_t nibble = group[i / 8 * FFN_PANEL_COLUMNS + column] >> (i % 4 * 8 + i % 8 / 4 * 4) & 0xF;
    values[k] = (float)(nibble - 8) * __builtin_bit_cast(float, column < 16 ? scales << 16 : scales & 0xFFFF0000);
  }
}

void ffn_transpose_integer_panels(const struct ffn_panels *source, size_t operands, uint32_t *weights) {
  size_t run = FFN_PANEL_COLUMNS / operands, outputs = operands * source->columns;
  size_t panels = ffn_ceil_div(source->terms, FFN_PANEL_COLUMNS);
  for (size_t i = 0; i < panels * FFN_PANEL_COLUMNS * outputs; i++) weights[i] = 0; // also beyond the last term
  for (size_t output = 0; output < outputs; output++) {
    size_t operand = output / source->columns, column = output % source->columns;
    for (size_t first = 0; first < source->terms; first += FFN_BLOCK_TERMS) {
      size_t rest = source->terms - first, terms = rest < FFN_BLOCK_TERMS ? rest : FFN_BLOCK_TERMS;
      float values[FFN_BLOCK_TERMS];
      const uint32_t *panel = source->weights + ffn_panel_block(column / run, source->panels, first / FFN_BLOCK_TERMS,
                                                                source->terms, source->type);
      (source->type == FFN_INT8 ? int8_column : int4_column)(panel, operand * run + column % run, terms, values);
      rotate_block(values, values, terms);
      for (size_t k = 0; k < terms; k++) {
        uint32_t *target = weights + ffn_panel_block((first + k) / FFN_PANEL_COLUMNS, panels, output / FFN_BLOCK_TERMS,
                                                     outputs, FFN_F32);
        target[output % FFN_BLOCK_TERMS * FFN_PANEL_COLUMNS + k % FFN_PANEL_COLUMNS] =
            __builtin_bit_cast(uint32_t, values[k]);
      }
    }
  }
}
