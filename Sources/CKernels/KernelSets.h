#pragma once

#include "CKernels.h"

extern const struct ffn_kernels ffn_kernels_scalar;
#if defined(__x86_64__)
extern const struct ffn_kernels ffn_kernels_avx2;
extern const struct ffn_kernels ffn_kernels_avx512;
extern const struct ffn_kernels ffn_kernels_avx512_vnni;
extern const struct ffn_kernels ffn_kernels_avx512_bf16;
#endif
#if defined(__aarch64__)
extern const struct ffn_kernels ffn_kernels_neon;
#endif

// What sets are put together from, each in a file of its own.
extern const struct ffn_arithmetic ffn_scalar_integer_arithmetic;
uint64_t ffn_scalar_integer_multiply_adds(size_t steps, float *sink);
#if defined(__x86_64__)
extern const struct ffn_arithmetic ffn_avx2_integer_arithmetic;
uint64_t ffn_avx2_integer_multiply_adds(size_t steps, float *sink);
extern const struct ffn_arithmetic ffn_avx512_integer_arithmetic;
uint64_t ffn_avx512_integer_multiply_adds(size_t steps, float *sink);
extern const struct ffn_arithmetic ffn_vnni_arithmetic; // by vpdpbusd
uint64_t ffn_vnni_multiply_adds(size_t steps, float *sink);
extern const struct ffn_arithmetic ffn_bf16_arithmetic; // by vdpbf16ps
uint64_t ffn_bf16_multiply_adds(size_t steps, float *sink);
#endif
#if defined(__aarch64__)
extern const struct ffn_arithmetic ffn_neon_integer_arithmetic;
uint64_t ffn_neon_integer_multiply_adds(size_t steps, float *sink);
#endif
