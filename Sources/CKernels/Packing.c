#include "PackingIntegers.h"

#include <string.h>

static inline float f32_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// IEEE 754 binary16 to binary32, exact; a subnormal is normalised by one subtraction.
static inline float f32_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t magnitude = half & 0x7FFF;
  if (magnitude >= 0x7C00) return f32_from_bits(sign | 0x7F800000 | (magnitude & 0x03FF) << 13);
  if (magnitude >= 0x0400) return f32_from_bits(sign | ((magnitude << 13) + 0x38000000));
  float value = f32_from_bits(0x3F000000 | magnitude) - 0.5f; // (0.5 + magnitude·2⁻²⁴) − 0.5
  return sign ? -value : value;
}

// The nearest bf16, ties to even; NaN stays NaN.
static inline uint16_t bf16_from_f32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (uint16_t)(bits >> 16 | 0x0040);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// An element of a source matrix, whose types are the first three.
static inline float load(const char *base, enum ffn_type type, ptrdiff_t element) {
  uint16_t half;
  float value;
  switch (type) {
  case FFN_F32: memcpy(&value, base + 4 * element, 4); return value;
  case FFN_F16: memcpy(&half, base + 2 * element, 2); return f32_from_f16(half);
  case FFN_BF16: memcpy(&half, base + 2 * element, 2); return f32_from_bits((uint32_t)half << 16);
  case FFN_INT8:
  case FFN_INT4: break;
  }
  return 0;
}

// y[i * step] = element (row, first + i) of m. The loop stands once for each type, so that none asks within it.
static void widen(const struct ffn_matrix *m, size_t row, size_t first, size_t count, float *y, size_t step) {
  const char *base = m->base;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first * m->column_stride, stride = m->column_stride;
  switch (m->type) {
  case FFN_F32:
    for (size_t i = 0; i < count; i++, element += stride) y[i * step] = load(base, FFN_F32, element);
    break;
  case FFN_F16:
    for (size_t i = 0; i < count; i++, element += stride) y[i * step] = load(base, FFN_F16, element);
    break;
  case FFN_BF16:
    for (size_t i = 0; i < count; i++, element += stride) y[i * step] = load(base, FFN_BF16, element);
    break;
  case FFN_INT8:
  case FFN_INT4: break;
  }
}

// y[k / 2 * 64 + k % 2] = element (row, first + k) of m as bf16: the lower and upper halves of one output's words.
static void narrow(const struct ffn_matrix *m, size_t row, size_t first, size_t count, uint16_t *y) {
  const char *base = m->base;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first * m->column_stride, stride = m->column_stride;
  for (size_t k = 0; k < count; k++, element += stride) {
    uint16_t *half = y + k / 2 * (2 * FFN_PANEL_COLUMNS) + k % 2;
    if (m->type == FFN_BF16) {
      memcpy(half, base + 2 * element, 2);
    } else {
      *half = bf16_from_f32(load(base, m->type, element));
    }
  }
}

// Rows first_row … first_row + columns − 1 of m become columns first_column … of a block of a panel; zeros where m has
// no such row, and in the upper half of the last word where two terms share one and the terms are odd.
static void pack_block(
    const struct ffn_matrix *m, enum ffn_type type, size_t first_row, size_t columns, size_t block, uint32_t *panel,
    size_t first_column) {
  size_t first = block * FFN_BLOCK_TERMS;
  size_t length = m->columns - first < FFN_BLOCK_TERMS ? m->columns - first : FFN_BLOCK_TERMS;
  size_t steps = ffn_ceil_div(length, ffn_step_terms(type));
  for (size_t c = first_column, row = first_row; c < first_column + columns; c++, row++) {
    if (type == FFN_INT8 || type == FFN_INT4) {
      float values[FFN_BLOCK_TERMS] = {0};
      if (row < m->rows) widen(m, row, first, length, values, 1);
      (type == FFN_INT8 ? ffn_pack_int8_column : ffn_pack_int4_column)(values, length, c, panel);
    } else if (row >= m->rows) {
      for (size_t step = 0; step < steps; step++) panel[step * FFN_PANEL_COLUMNS + c] = 0;
    } else if (type == FFN_BF16) {
      panel[(steps - 1) * FFN_PANEL_COLUMNS + c] = 0;
      narrow(m, row, first, length, (uint16_t *)(panel + c));
    } else {
      widen(m, row, first, length, (float *)panel + c, FFN_PANEL_COLUMNS);
    }
  }
}

void ffn_pack_panels(
    const struct ffn_matrix *w, enum ffn_type type, size_t first_panel, size_t end_panel, uint32_t *weights) {
  size_t panels = ffn_ceil_div(w->rows, FFN_PANEL_COLUMNS), blocks = ffn_ceil_div(w->columns, FFN_BLOCK_TERMS);
  for (size_t p = first_panel; p < end_panel; p++) {
    for (size_t block = 0; block < blocks; block++) {
      uint32_t *panel = weights + ffn_panel_block(p, panels, block, w->columns, type);
      pack_block(w, type, p * FFN_PANEL_COLUMNS, FFN_PANEL_COLUMNS, block, panel, 0);
    }
  }
}

void ffn_pack_pair_panels(
    const struct ffn_matrix *a, const struct ffn_matrix *b, enum ffn_type type, size_t first_panel, size_t end_panel,
    uint32_t *weights) {
  size_t panels = ffn_ceil_div(a->rows, FFN_PAIR_COLUMNS), blocks = ffn_ceil_div(a->columns, FFN_BLOCK_TERMS);
  for (size_t p = first_panel; p < end_panel; p++) {
    for (size_t block = 0; block < blocks; block++) {
      uint32_t *panel = weights + ffn_panel_block(p, panels, block, a->columns, type);
      pack_block(a, type, p * FFN_PAIR_COLUMNS, FFN_PAIR_COLUMNS, block, panel, 0);
      pack_block(b, type, p * FFN_PAIR_COLUMNS, FFN_PAIR_COLUMNS, block, panel, FFN_PAIR_COLUMNS);
    }
  }
}

void ffn_widen(const struct ffn_matrix *v, size_t row, float *y, size_t count) { widen(v, row, 0, count, y, 1); }
