#pragma once

// Rows in blocks of float32, or rounded to bf16: the including file defines LANES, row_element and store_elements.

#include "PanelLoops.h"

#include <string.h>

static inline const float *source_block(const struct ffn_blocking *job, size_t row, size_t first) {
  return job->x + first / FFN_BLOCK_TERMS * job->block_step + row * job->row_step;
}

static inline row_element *target_block(const struct ffn_blocking *job, size_t row, size_t first) {
  return (row_element *)job->blocks + (first / FFN_BLOCK_TERMS * job->rows + row) * ROW_STRIDE;
}

static inline void block_rows(const struct ffn_blocking *job, size_t first_row, size_t end_row) {
  for (size_t first = 0; first < job->terms; first += FFN_BLOCK_TERMS) {
    size_t length = smaller(job->terms - first, FFN_BLOCK_TERMS);
    for (size_t row = first_row; row < end_row; row++) {
      memcpy(target_block(job, row, first), source_block(job, row, first), length * sizeof(float));
    }
  }
}

static void block_rows_rounding(const struct ffn_blocking *job, size_t first_row, size_t end_row) {
  for (size_t first = 0; first < job->terms; first += FFN_BLOCK_TERMS) {
    size_t length = smaller(job->terms - first, FFN_BLOCK_TERMS);
    for (size_t row = first_row; row < end_row; row++) {
      const float *source = source_block(job, row, first);
      row_element *y = target_block(job, row, first);
      size_t k = 0;
      for (; k + LANES <= length; k += LANES) store_elements(y + k, round_to_bf16(load(source + k)));
      if (k == length) continue;
      float rest[LANES] = {0}; // an odd last term is paired with a zero
      for (size_t i = k; i < length; i++) rest[i - k] = source[i];
      store_elements(y + k, round_to_bf16(load(rest)));
    }
  }
}
