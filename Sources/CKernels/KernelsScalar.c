// The portable reference, which the vector kernel sets are held to, bit by bit. On a processor whose baseline has no
// fused multiply–add, each one is a call of the C library: correct, and slow.

#include "KernelSets.h"

#define LANES 1
#define TILE_ROWS 1

typedef float row_element;
typedef float hidden_element;

enum { ROW_STRIDE = FFN_BLOCK_STRIDE };

#include "Tile.h"

INLINE void store_elements(float *y, vfloat x) { store(y, x); }

// Weight of term k and output c in a packed block.
static float weight(enum ffn_type type, const uint32_t *w, size_t k, size_t c) {
  if (type == FFN_F32) return __builtin_bit_cast(float, w[k * FFN_PANEL_COLUMNS + c]);
  uint32_t word = w[k / 2 * FFN_PANEL_COLUMNS + c];
  return __builtin_bit_cast(float, k % 2 == 0 ? word << 16 : word & 0xFFFF0000);
}

// totals[32] (+)= Σ_k x[k]·w[k][32]
static void scalar_tile(
    enum ffn_type type, const float *x, const uint32_t *w, size_t terms, float *totals, int first) {
  for (size_t c = 0; c < FFN_PANEL_COLUMNS; c++) {
    float sum = 0;
    for (size_t k = 0; k < terms; k++) sum = __builtin_fmaf(x[k], weight(type, w, k, c), sum);
    totals[c] = first ? sum : totals[c] + sum;
  }
}

static void f32_tile(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  scalar_tile(FFN_F32, x, w, terms, totals, first);
}

static void bf16_tile(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  (void)ahead, (void)ahead_step;
  scalar_tile(FFN_BF16, x, w, terms, totals, first);
}

static tile_function *const f32_tiles[TILE_ROWS] = {f32_tile};
static tile_function *const bf16_tiles[TILE_ROWS] = {bf16_tile};

static void f32_two_panels(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  f32_tile(x, w, terms, totals, first, ahead, ahead_step);
  f32_tile(x, w + terms * FFN_PANEL_COLUMNS, terms, totals + FFN_PANEL_COLUMNS, first, ahead, ahead_step);
}

static void bf16_two_panels(
    const float *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead, size_t ahead_step) {
  const uint32_t *second = w + ffn_ceil_div(terms, 2) * FFN_PANEL_COLUMNS;
  bf16_tile(x, w, terms, totals, first, ahead, ahead_step);
  bf16_tile(x, second, terms, totals + FFN_PANEL_COLUMNS, first, ahead, ahead_step);
}

#include "FloatKernels.h"

const struct ffn_kernels ffn_kernels_scalar = {
    "scalar", &f32_arithmetic, &bf16_arithmetic, &ffn_scalar_integer_arithmetic, convolve, gate,
    gate_derivatives, multiply_adds, multiply_adds, ffn_scalar_integer_multiply_adds, read_floats};
