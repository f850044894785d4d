#pragma once

// Rows in blocks of struct ffn_byte_block: turned, and quantised to bytes with one scale a block. The including file
// defines LANES.

#include "Quantisation.h"

typedef int8_t vbytes __attribute__((ext_vector_type(LANES), aligned(1)));

static void quantise_block(const float *x, size_t terms, struct ffn_byte_block *y) {
  float turned[FFN_BLOCK_TERMS] __attribute__((aligned(64)));
  size_t padded = ffn_ceil_div(terms, FFN_QUANTISATION_TERMS) * FFN_QUANTISATION_TERMS;
  rotate_block(x, turned, terms);
  for (size_t k = terms; k < padded; k++) turned[k] = 0;
  float factor;
  y->scale = byte_scale(largest_magnitude_bits(turned, padded), &factor);
  if (factor == 0) {
    for (size_t k = 0; k < padded; k++) y->terms[k] = 0;
  } else {
    for (size_t k = 0; k < padded; k += LANES) {
      vint q = nearest_integers(load(turned + k) * splat(factor));
      *(vbytes *)(y->terms + k) = __builtin_convertvector(q, vbytes);
    }
  }
  int32_t sum = 0;
  for (size_t group = 0; group * FFN_QUANTISATION_TERMS < padded; group++) {
    const int8_t *q = y->terms + group * FFN_QUANTISATION_TERMS;
    int32_t group_sum = 0;
    for (size_t k = 0; k < FFN_QUANTISATION_TERMS; k++) group_sum += q[k];
    y->nibble_offsets[group] = (int16_t)(-8 * group_sum);
    sum += group_sum;
  }
  y->byte_offset = -128 * sum;
}

static void quantise_rows(const struct ffn_blocking *job, size_t first_row, size_t end_row) {
  size_t blocks = ffn_ceil_div(job->terms, FFN_BLOCK_TERMS);
  for (size_t block = 0; block < blocks; block++) {
    size_t rest = job->terms - block * FFN_BLOCK_TERMS, terms = rest < FFN_BLOCK_TERMS ? rest : FFN_BLOCK_TERMS;
    struct ffn_byte_block *y = (struct ffn_byte_block *)job->blocks + block * job->rows;
    for (size_t row = first_row; row < end_row; row++) {
      quantise_block(job->x + block * job->block_step + row * job->row_step, terms, y + row);
    }
  }
}
