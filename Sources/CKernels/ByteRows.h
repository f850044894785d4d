#pragma once

// Rows in blocks of struct ffn_byte_block: turned, and quantised to bytes with one scale a block. The including file
// defines LANES.

#include "Quantisation.h"

typedef int8_t vbytes __attribute__((ext_vector_type(LANES), aligned(1)));
typedef int16_t vhalf_words __attribute__((ext_vector_type(LANES), aligned(2)));

enum { GROUPS = FFN_BLOCK_TERMS / FFN_QUANTISATION_TERMS };

// Lanes of a whose number lacks the bit h and of b where it has it, each with its neighbour at distance h added.
#define SAME_LANE(lane, h) (lane & h ? LANES + lane : lane)
#define OTHER_LANE(lane, h) SAME_LANE(lane, h) ^ h
#define MERGED(a, b, h)                                                                                                \
  __builtin_shufflevector(a, b, EACH_LANE(SAME_LANE, h)) + __builtin_shufflevector(a, b, EACH_LANE(OTHER_LANE, h))

// Lane i of vector j becomes the sum over all lanes of sums[j * LANES + i].
INLINE void sum_lanes(vint *sums) {
  (void)sums;
#if LANES > 1
  UNROLLED for (int i = 0; i < GROUPS / 2; i++) sums[i] = MERGED(sums[2 * i], sums[2 * i + 1], 1);
  UNROLLED for (int i = 0; i < GROUPS / 4; i++) sums[i] = MERGED(sums[2 * i], sums[2 * i + 1], 2);
#endif
#if LANES > 4
  UNROLLED for (int i = 0; i < GROUPS / 8; i++) sums[i] = MERGED(sums[2 * i], sums[2 * i + 1], 4);
#endif
#if LANES > 8
  UNROLLED for (int i = 0; i < GROUPS / 16; i++) sums[i] = MERGED(sums[2 * i], sums[2 * i + 1], 8);
#endif
}

static void quantise_block(const float *x, size_t terms, struct ffn_byte_block *y) {
  float turned[FFN_BLOCK_TERMS] __attribute__((aligned(64)));
  size_t padded = ffn_ceil_div(terms, FFN_QUANTISATION_TERMS) * FFN_QUANTISATION_TERMS;
  rotate_block(x, turned, terms);
  for (size_t k = terms; k < padded; k++) turned[k] = 0;
  float factor;
  y->scale = byte_scale(largest_magnitude_bits(turned, padded), &factor);
  vint sums[GROUPS] = {0};
  for (size_t group = 0; group * FFN_QUANTISATION_TERMS < padded; group++) {
    for (size_t i = 0; i < FFN_QUANTISATION_TERMS; i += LANES) {
      size_t k = group * FFN_QUANTISATION_TERMS + i;
      // No factor where nothing counts; infinities and NaN times 0 would be NaN, and no byte.
      vint q = factor == 0 ? (vint){0} : nearest_integers(load(turned + k) * splat(factor));
      *(vbytes *)(y->terms + k) = __builtin_convertvector(q, vbytes);
      sums[group] += q;
    }
  }
  sum_lanes(sums);
  vint sum = {0};
  for (int i = 0; i < GROUPS / LANES; i++) {
    *(vhalf_words *)(y->nibble_offsets + i * LANES) = __builtin_convertvector(sums[i] * -8, vhalf_words);
    sum += sums[i];
  }
  y->byte_offset = 0;
  for (int lane = 0; lane < LANES; lane++) y->byte_offset -= 128 * sum[lane];
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
