#pragma once

#include "CKernels.h"

extern const struct ffn_kernels ffn_kernels_scalar;
#if defined(__x86_64__)
extern const struct ffn_kernels ffn_kernels_avx2;
extern const struct ffn_kernels ffn_kernels_avx512;
extern const struct ffn_kernels ffn_kernels_avx512_bf16;

// bf16 arithmetic by vdpbf16ps, in KernelsAVX512BF16.c.
void ffn_bf16_block_rows(const float *x, size_t rows, size_t terms, void *blocks);
void ffn_bf16_gate_up(const struct ffn_gate_up *job, size_t first_panel, size_t end_panel, float *totals);
void ffn_bf16_project(const struct ffn_project *job, size_t first_panel, size_t end_panel, float *totals);
uint64_t ffn_bf16_multiply_adds(size_t steps, float *sink);
#endif
#if defined(__aarch64__)
extern const struct ffn_kernels ffn_kernels_neon;
#endif
