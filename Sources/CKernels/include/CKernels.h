#pragma once

#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>

// Kernels of the gated feed-forward layer.
//
// Weights are packed once into panels of FFN_PANEL_COLUMNS outputs; every kernel set reads the same panels.
//
//   panel          [steps][words]: a step is what a row's next few terms meet, 32 outputs side by side. A pair panel
//                  holds 16 outputs of operand a and the same 16 of operand b, so that the gate has both at hand.
//   block          512 consecutive terms. Inside a group the panels are stored block by block.
//   group          4 consecutive panels (fewer at the end): [blocks][panels of the group][steps of the block][words],
//                  which is the order in which every path reads them.
//
//   FFN_F32        one term a step, a float32 for each output.
//   FFN_BF16       two terms a step: of an output's word the lower half is the earlier one's.
//   FFN_INT8       four terms a step: an output's word holds their bytes w + 128, the earliest lowest. A panel's block
//                  begins with 32 float32 scales, one for each output.
//   FFN_INT4       a group of 32 terms a step: [4][32 words], then [16 words]. Word i of an output holds w + 8 for
//                  terms 8i … 8i + 3 in the low nibbles of its bytes and for 8i + 4 … 8i + 7 in the high ones; of the
//                  last 16 words, number c holds the bf16 scales of output c (lower half) and of c + 16 (upper half).
//
// Inputs stand in row blocks, [blocks][rows][stride]: the terms of a block are contiguous in each row, and the rows of
// a tile don't share cache sets as they would at a power-of-two stride. The stride is FFN_BLOCK_STRIDE elements, and
// FFN_BYTE_BLOCK_STRIDE bytes in integer arithmetic, where a block of a row is a struct ffn_byte_block.
//
// The order of every sum, whatever the batch, in float32 arithmetic on every instruction set:
//
//   block sum s_b  = fma(x_k, w_k, … fma(x_1, w_1, fma(x_0, w_0, 0)))   over the block's terms in order
//   output         = (((s_0 + s_1) + s_2) + …) + bias
//
// so the same row gives the same bits whatever rows are computed beside it. bf16 arithmetic rounds inputs, weights and
// hidden values to bf16 (to nearest, ties to even) and sums in float32, in the same blocks: with vdpbf16ps pair by
// pair, which flushes subnormals, on other sets term by term as above. The same row gives the same bits on one set.
//
// Integer arithmetic (FFN_INT8, FFN_INT4) turns each block of a row, inputs and hidden values, by an orthogonal matrix
// (Rotation.h), and the weights with it when they are packed: x·w = (Hx)·(Hw), and what is quantised has no outliers
// (Ashkboos et al. 2024, QuaRot). Then q = round(127·x/m), ties to even, with m the block's largest magnitude, and
//
//   FFN_INT8       s_b = (Σ q_k·w_k)·(σ·τ)                      σ = m/127 of the row's block, τ of the output's
//   FFN_INT4       s_b = fma(Σ q_k·w_k, τ_g, … )·σ              over the block's groups g of 32 terms, from 0
//   output         = fma(…, s_1 likewise, s_0) + bias
//
// Integer sums are exact, and so the same bits come from every instruction set. A block whose largest magnitude is
// below 2⁻¹⁰⁰ counts as zeros; one with a NaN or an infinity makes the row's outputs NaN.

enum {
  FFN_PANEL_COLUMNS = 32,
  FFN_PAIR_COLUMNS = 16,
  FFN_BLOCK_TERMS = 512,
  FFN_BLOCK_STRIDE = 528,
  FFN_BYTE_BLOCK_STRIDE = 576,
  FFN_QUANTISATION_TERMS = 32,
  FFN_GROUP_PANELS = 4,
};

// A block of a row in integer arithmetic. Terms beyond the last are zeros up to a multiple of 32.
struct ffn_byte_block {
  int8_t terms[FFN_BLOCK_TERMS];
  float scale;         // σ
  int32_t byte_offset; // −128·Σ terms: what the bytes w + 128 add too much
  int16_t nibble_offsets[FFN_BLOCK_TERMS / FFN_QUANTISATION_TERMS]; // −8·Σ terms of each group
  char padding[FFN_BYTE_BLOCK_STRIDE - FFN_BLOCK_TERMS - 40];
};

// Which formula joins a and b; the formulas stand in GateMath.h, their derivatives in GateDerivatives.h.
enum ffn_gate_kind {
  FFN_GLU,
  FFN_GTU,
  FFN_BILINEAR,
  FFN_REGLU,
  FFN_GEGLU,
  FFN_GEGLU_TANH,
  FFN_GEGLU_QUICK,
  FFN_SWIGLU,
  FFN_RELU2GLU,
  FFN_SWIGLU_CLAMPED,
  FFN_REGLU_SIGMOID,
  FFN_GEGLU_SIGMOID,
};

struct ffn_gate {
  enum ffn_gate_kind kind;
  float slope; // β of swiglu, α of swiglu_clamped
  float limit; // L of swiglu_clamped
};

// How elements are stored, little-endian: of a matrix or vector any but FFN_INT8 and FFN_INT4, of packed panels the
// first ones but FFN_F16.
enum ffn_type {
  FFN_F32,
  FFN_F16,
  FFN_BF16,
  FFN_INT8,
  FFN_INT4,
  // A sign, 4 bits of exponent with bias 7, 3 of fraction; no infinities, NaN where all seven are 1 (OCP 8-bit
  // Floating Point Specification 1.0).
  FFN_F8_E4M3,
  // A sign, 2 bits of exponent, one of fraction: ±0, ½, 1, 1½, 2, 3, 4, 6; two in a byte, the earlier one in its lower
  // half. And 2^(e − 127), 255 being NaN, what scales them (OCP Microscaling Formats Specification 1.0).
  FFN_F4_E2M1,
  FFN_F8_E8M0,
};

// Where along one dimension of a matrix the scales change: element i has scale (first + i·step) / block.
struct ffn_scale_axis {
  size_t first, step, block;
  ptrdiff_t stride; // elements from one scale to the next
};

// What a matrix's elements are multiplied with, in float32; no base: nothing.
struct ffn_scales {
  const void *base;
  enum ffn_type type;
  struct ffn_scale_axis rows, columns;
};

// A source matrix [rows, columns] = [out, in]; strides in elements, base at any alignment.
struct ffn_matrix {
  const void *base;
  enum ffn_type type;
  size_t rows, columns;
  ptrdiff_t row_stride, column_stride;
  struct ffn_scales scales;
};

// One packed projection.
struct ffn_panels {
  const uint32_t *weights; // `panels` panels of `terms` terms, 64-byte aligned
  enum ffn_type type;      // of the weights
  const float *bias;       // [panels][32], 64-byte aligned
  size_t terms;
  size_t panels;
  size_t columns; // outputs: of each operand in a pair, of the projection otherwise
};

// A batch of rows in blocks: term k of row r is base[(k / 512) * block_step + r * stride + k % 512], in elements of the
// kernels that read it. In float32 arithmetic a single row needs no copy: block_step = 512.
struct ffn_rows {
  void *base;
  size_t block_step;
  size_t rows;
};

// Before a phase: rows of float32 become row blocks. Term k of row r is x[(k / 512) * block_step + r * row_step + k % 512].
struct ffn_blocking {
  const float *x;
  size_t block_step, row_step;
  size_t rows, terms;
  void *blocks;
};

// First phase: hidden = gate(x·Aᵀ + a_bias, x·Bᵀ + b_bias).
struct ffn_gate_up {
  struct ffn_panels panels; // pair panels
  struct ffn_rows x;
  struct ffn_gate gate;
  int rounds_hidden; // to bf16
  // [blocks of columns][rows][FFN_BLOCK_STRIDE], or NULL: the row blocks of the second phase, but in integer arithmetic
  // float32, still to be blocked.
  void *hidden_blocks;
  // Row-major [rows, columns], each only where it is not NULL; a and b are the operands before the gate.
  float *hidden, *a, *b;
};

// Second phase: y = x·Wᵀ + bias, with x = hidden.
struct ffn_project {
  struct ffn_panels panels;
  struct ffn_rows x;
  float *y; // row-major [rows, columns]
};

// A gated convolution: hidden = gate(Σ_j x[t + j]·A_jᵀ + a_bias, Σ_j x[t + j]·B_jᵀ + b_bias) for row t, in float32
// arithmetic. Tap j's block sums are added after those of tap j − 1, in the order of a layer's.
struct ffn_convolution {
  struct ffn_gate_up first;      // its panels are the first tap's, with the bias; row t of x meets the first tap
  const struct ffn_panels *taps; // pair panels of one shape and type
  size_t tap_count;              // x has tap_count − 1 rows more than x.rows says, in the same blocks
};

// The way of a layer in one arithmetic. `totals` is scratch of the calling thread, 64-byte aligned: FFN_GROUP_PANELS *
// rows * 32 floats. Panels are independent, and so are the rows to be blocked: any split over calls and threads gives
// the same bits.
struct ffn_arithmetic {
  void (*block_rows)(const struct ffn_blocking *job, size_t first_row, size_t end_row);
  void (*gate_up)(const struct ffn_gate_up *job, size_t first_panel, size_t end_panel, float *totals);
  void (*project)(const struct ffn_project *job, size_t first_panel, size_t end_panel, float *totals);
};

// One kernel set.
struct ffn_kernels {
  const char *name;
  const struct ffn_arithmetic *f32, *bf16, *integer;
  // Panels as in `gate_up`; in float32 arithmetic.
  void (*convolve)(const struct ffn_convolution *job, size_t first_panel, size_t end_panel, float *totals);
  // y[i] = gate(a[i], b[i]); y may be a or b.
  void (*gate)(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count);
  // by_a[i] = g[i]·∂gate/∂a, by_b[i] = g[i]·∂gate/∂b at (a[i], b[i]), with 1 for all g[i] where g is NULL; the results
  // overlap neither each other nor the operands.
  void (*gate_derivatives)(
      const struct ffn_gate *gate, const float *a, const float *b, const float *g, float *by_a, float *by_b,
      size_t count);
  // Yardsticks. Each multiply_adds starts from *sink and leaves a sum there; returns how many it did. read_floats reads
  // in order and returns what keeps the reads alive.
  uint64_t (*f32_multiply_adds)(size_t steps, float *sink);
  uint64_t (*bf16_multiply_adds)(size_t steps, float *sink);
  uint64_t (*integer_multiply_adds)(size_t steps, float *sink);
  uint32_t (*read_floats)(const float *x, size_t count);
};

// Kernel set number `index` of those that this processor and its operating system can run, the fastest first; NULL
// past the last, which is the portable one.
const struct ffn_kernels *ffn_available_kernels(size_t index);

// Tells the processor that this thread is waiting for another.
static inline void ffn_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// The core that the calling thread runs on; −1 where the system doesn't say.
int ffn_current_core(void);

// The calling thread, as `ffn_move_off_core` names it.
int ffn_current_thread(void);

// Moves a thread of the process off `core` if it may run on another one; which cores it may use stays as it was, if
// nobody else moves it at the same time. One that sleeps has nowhere to be moved to yet: `wake`, where it is not null, is
// what it sleeps at, and is posted so that it wakes on another core.
void ffn_move_off_core(int thread, int core, sem_t *wake);

static inline size_t ffn_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// Terms of one step of a packed panel.
static inline size_t ffn_step_terms(enum ffn_type type) {
  return type == FFN_INT4 ? FFN_QUANTISATION_TERMS : type == FFN_INT8 ? 4 : type == FFN_BF16 ? 2 : 1;
}

// Words of one step of a packed panel.
static inline size_t ffn_step_words(enum ffn_type type) {
  return type == FFN_INT4 ? 4 * FFN_PANEL_COLUMNS + FFN_PANEL_COLUMNS / 2 : FFN_PANEL_COLUMNS;
}

// Words of the first `terms` terms of a packed panel; whole blocks, or all terms.
static inline size_t ffn_panel_words(size_t terms, enum ffn_type type) {
  size_t heads = type == FFN_INT8 ? ffn_ceil_div(terms, FFN_BLOCK_TERMS) * FFN_PANEL_COLUMNS : 0;
  return heads + ffn_ceil_div(terms, ffn_step_terms(type)) * ffn_step_words(type);
}

// Words of `panels` packed panels.
static inline size_t ffn_panels_words(size_t panels, size_t terms, enum ffn_type type) {
  return panels * ffn_panel_words(terms, type);
}

// Offset, in words, of block `block` of panel `panel` among `panels` packed panels.
static inline size_t ffn_panel_block(size_t panel, size_t panels, size_t block, size_t terms, enum ffn_type type) {
  size_t group_first = panel / FFN_GROUP_PANELS * FFN_GROUP_PANELS;
  size_t group = panels - group_first < FFN_GROUP_PANELS ? panels - group_first : FFN_GROUP_PANELS;
  size_t first = block * FFN_BLOCK_TERMS;
  size_t length = terms - first < FFN_BLOCK_TERMS ? terms - first : FFN_BLOCK_TERMS;
  return group_first * ffn_panel_words(terms, type) + group * ffn_panel_words(first, type) +
         (panel - group_first) * ffn_panel_words(length, type);
}

// Packs panels [first_panel, end_panel) of W: panel p holds rows 32p … 32p+31, zeros beyond the last. `type` is that of
// the packed weights; FFN_BF16 rounds what isn't bf16 already, FFN_INT8 and FFN_INT4 turn each block and quantise it.
void ffn_pack_panels(
    const struct ffn_matrix *w, enum ffn_type type, size_t first_panel, size_t end_panel, uint32_t *weights);

// Packs pair panels [first_panel, end_panel) of a and b, of one shape: panel p holds rows 16p … 16p+15 of both.
void ffn_pack_pair_panels(
    const struct ffn_matrix *a, const struct ffn_matrix *b, enum ffn_type type, size_t first_panel, size_t end_panel,
    uint32_t *weights);

// Packs panels [first_panel, end_panel) of the transposed weights of `source`, of the same type: panel p holds the
// source's terms 32p … 32p+31 as outputs. `operands` is 2 for pair panels, else 1. The terms are the source's outputs in
// order; of a pair first those of a, then those of b.
void ffn_transpose_panels(
    const struct ffn_panels *source, size_t operands, size_t first_panel, size_t end_panel, uint32_t *weights);

// The same for all panels at once of FFN_INT8 or FFN_INT4 weights: the values that they stand for, as FFN_F32.
void ffn_transpose_integer_panels(const struct ffn_panels *source, size_t operands, uint32_t *weights);

// y[i] = element (row, i) of v as float32; used for biases.
void ffn_widen(const struct ffn_matrix *v, size_t row, float *y, size_t count);
