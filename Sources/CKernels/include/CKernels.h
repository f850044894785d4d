#pragma once

#include <stddef.h>
#include <stdint.h>

// Kernels of the gated feed-forward layer.
//
// Weights are packed once into panels of FFN_PANEL_COLUMNS outputs; every kernel set reads the same panels.
//
//   panel          [steps][32 words]: a word holds one float32 weight, or two bf16 weights of consecutive terms, the
//                  earlier one in its lower half. A step is what a row's next term, or next two terms, meet: 32 outputs
//                  side by side. A pair panel holds 16 outputs of operand a and the same 16 of operand b, so that the
//                  gate has both at hand.
//   block          512 consecutive terms. Inside a group the panels are stored block by block.
//   group          4 consecutive panels (fewer at the end): [blocks][panels of the group][steps of the block][32],
//                  which is the order in which every path reads them.
//
// Inputs stand in row blocks, [blocks][rows][FFN_BLOCK_STRIDE]: the terms of a block are contiguous in each row, and
// the rows of a tile don't share cache sets as they would at a power-of-two stride.
//
// The order of every sum, whatever the batch, in float32 arithmetic on every instruction set:
//
//   block sum s_b  = fma(x_k, w_k, … fma(x_1, w_1, fma(x_0, w_0, 0)))   over the block's terms in order
//   output         = (((s_0 + s_1) + s_2) + …) + bias
//
// so the same row gives the same bits whatever rows are computed beside it. bf16 arithmetic rounds inputs, weights and
// hidden values to bf16 (to nearest, ties to even) and sums in float32, in the same blocks: with vdpbf16ps pair by
// pair, which flushes subnormals, on other sets term by term as above. The same row gives the same bits on one set.

enum {
  FFN_PANEL_COLUMNS = 32,
  FFN_PAIR_COLUMNS = 16,
  FFN_BLOCK_TERMS = 512,
  FFN_BLOCK_STRIDE = 528,
  FFN_GROUP_PANELS = 4,
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

// How the elements of a matrix or vector are stored, little-endian; packed panels are FFN_F32 or FFN_BF16.
enum ffn_type { FFN_F32, FFN_F16, FFN_BF16 };

// A source matrix [rows, columns] = [out, in]; strides in elements, base at any alignment.
struct ffn_matrix {
  const void *base;
  enum ffn_type type;
  size_t rows, columns;
  ptrdiff_t row_stride, column_stride;
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

// A batch of rows in blocks: term k of row r is base[(k / 512) * block_step + r * FFN_BLOCK_STRIDE + k % 512], in
// elements of the kernels that read it. In float32 arithmetic a single row needs no copy: block_step = 512.
struct ffn_rows {
  void *base;
  size_t block_step;
  size_t rows;
};

// First phase: hidden = gate(x·Aᵀ + a_bias, x·Bᵀ + b_bias).
struct ffn_gate_up {
  struct ffn_panels panels; // pair panels
  struct ffn_rows x;
  struct ffn_gate gate;
  int rounds_hidden; // to bf16
  void *hidden_blocks; // row blocks [blocks of columns][rows][FFN_BLOCK_STRIDE], input of the second phase, or NULL
  // Row-major [rows, columns], each only where it is not NULL; a and b are the operands before the gate.
  float *hidden, *a, *b;
};

// Second phase: y = x·Wᵀ + bias, with x = hidden.
struct ffn_project {
  struct ffn_panels panels;
  struct ffn_rows x;
  float *y; // row-major [rows, columns]
};

// The way of a layer in one arithmetic. `totals` is scratch of the calling thread, 64-byte aligned: FFN_GROUP_PANELS *
// rows * 32 floats. Panels are independent: any split of [0, panels) over calls and threads gives the same bits.
struct ffn_arithmetic {
  // Copies row-major x [rows, terms] into row blocks; elements take 4 bytes at most.
  void (*block_rows)(const float *x, size_t rows, size_t terms, void *blocks);
  void (*gate_up)(const struct ffn_gate_up *job, size_t first_panel, size_t end_panel, float *totals);
  void (*project)(const struct ffn_project *job, size_t first_panel, size_t end_panel, float *totals);
};

// One kernel set.
struct ffn_kernels {
  const char *name;
  struct ffn_arithmetic f32, bf16;
  // y[i] = gate(a[i], b[i]); y may be a or b.
  void (*gate)(const struct ffn_gate *gate, const float *a, const float *b, float *y, size_t count);
  // by_a[i] = ∂gate/∂a, by_b[i] = ∂gate/∂b at (a[i], b[i]); the results overlap neither each other nor the operands.
  void (*gate_derivatives)(
      const struct ffn_gate *gate, const float *a, const float *b, float *by_a, float *by_b, size_t count);
  // Yardsticks. Each multiply_adds starts from *sink and leaves a sum there; returns how many it did. read_floats reads
  // in order and returns what keeps the reads alive.
  uint64_t (*f32_multiply_adds)(size_t steps, float *sink);
  uint64_t (*bf16_multiply_adds)(size_t steps, float *sink);
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

// Moves the calling thread off `core` if it may run on another one; which cores it may use stays as it was.
void ffn_leave_core(int core);

static inline size_t ffn_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// Terms of one step of a packed panel.
static inline size_t ffn_step_terms(enum ffn_type type) { return type == FFN_BF16 ? 2 : 1; }

// Words of `panels` packed panels.
static inline size_t ffn_panels_words(size_t panels, size_t terms, enum ffn_type type) {
  return panels * ffn_ceil_div(terms, ffn_step_terms(type)) * FFN_PANEL_COLUMNS;
}

// Offset, in words, of block `block` of panel `panel` among `panels` packed panels.
static inline size_t ffn_panel_block(size_t panel, size_t panels, size_t block, size_t terms, enum ffn_type type) {
  size_t steps = ffn_ceil_div(terms, ffn_step_terms(type)), block_steps = FFN_BLOCK_TERMS / ffn_step_terms(type);
  size_t group_first = panel / FFN_GROUP_PANELS * FFN_GROUP_PANELS;
  size_t group = panels - group_first < FFN_GROUP_PANELS ? panels - group_first : FFN_GROUP_PANELS;
  size_t first = block * block_steps;
  size_t length = steps - first < block_steps ? steps - first : block_steps;
  return FFN_PANEL_COLUMNS * (group_first * steps + group * first + (panel - group_first) * length);
}

// Packs panels [first_panel, end_panel) of W: panel p holds rows 32p … 32p+31, zeros beyond the last. `type` is that of
// the packed weights; FFN_BF16 rounds what isn't bf16 already.
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

// y[i] = element (row, i) of v as float32; used for biases.
void ffn_widen(const struct ffn_matrix *v, size_t row, float *y, size_t count);
