#include "CKernels.h"

// The words of 32 terms of one output among packed panels: term i's is word i / terms of a step, every 32nd.
static const uint32_t *output_words(
    const struct ffn_panels *source, size_t operands, size_t output, size_t first_term) {
  size_t run = FFN_PANEL_COLUMNS / operands, operand = output / source->columns, column = output % source->columns;
  size_t block = first_term / FFN_BLOCK_TERMS;
  const uint32_t *panel = source->weights +
      ffn_panel_block(column / run, source->panels, block, source->terms, source->type);
  size_t step = (first_term - block * FFN_BLOCK_TERMS) / ffn_step_terms(source->type);
  return panel + step * FFN_PANEL_COLUMNS + operand * run + column % run;
}

static inline uint32_t bf16_of_term(const uint32_t *words, size_t term) {
  return words[term / 2 * FFN_PANEL_COLUMNS] >> (term % 2 * 16) & 0xFFFF;
}

// A multiple of 32 terms lies within one block of 512, so an output's words of one target panel are found once.
void ffn_transpose_panels(
    const struct ffn_panels *source, size_t operands, size_t first_panel, size_t end_panel, uint32_t *weights) {
  size_t panels = ffn_ceil_div(source->terms, FFN_PANEL_COLUMNS), terms = operands * source->columns;
  enum ffn_type type = source->type;
  for (size_t p = first_panel; p < end_panel; p++) {
    size_t first = p * FFN_PANEL_COLUMNS;
    size_t count = source->terms - first < FFN_PANEL_COLUMNS ? source->terms - first : FFN_PANEL_COLUMNS;
    for (size_t block = 0; block * FFN_BLOCK_TERMS < terms; block++) {
      uint32_t *target = weights + ffn_panel_block(p, panels, block, terms, type);
      size_t k = block * FFN_BLOCK_TERMS, end = k + FFN_BLOCK_TERMS < terms ? k + FFN_BLOCK_TERMS : terms;
      for (; k < end; k += ffn_step_terms(type), target += FFN_PANEL_COLUMNS) {
        const uint32_t *words = output_words(source, operands, k, first);
        if (type == FFN_F32) {
          for (size_t c = 0; c < count; c++) target[c] = words[c * FFN_PANEL_COLUMNS];
        } else {
          const uint32_t *later = k + 1 < end ? output_words(source, operands, k + 1, first) : 0;
          for (size_t c = 0; c < count; c++) {
            target[c] = bf16_of_term(words, c) | (later ? bf16_of_term(later, c) << 16 : 0);
          }
        }
        for (size_t c = count; c < FFN_PANEL_COLUMNS; c++) target[c] = 0;
      }
    }
  }
}
