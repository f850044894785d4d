#pragma once

#include "CKernels.h"

// totals[row][32] (+)= Σ_k x[row][k]·w[k][32] over the terms of one block, for one panel and the number of rows that a
// set's table has the function under: set where it is the first block, added where not. Each term's turn prefetches the
// lines of one term at `ahead`, which moves on by `ahead_step` bytes.
typedef void tile_function(
    const float *x, const char *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step);

extern const struct ffn_kernels ffn_kernels_scalar;
#if defined(__x86_64__)
extern const struct ffn_kernels ffn_kernels_avx2;
extern const struct ffn_kernels ffn_kernels_avx512;
#endif
