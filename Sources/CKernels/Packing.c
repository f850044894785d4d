#include "CKernels.h"

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

static inline float load(const char *base, enum ffn_type type, ptrdiff_t element) {
  uint16_t half;
  float value;
  switch (type) {
  case FFN_F32: memcpy(&value, base + 4 * element, 4); return value;
  case FFN_F16: memcpy(&half, base + 2 * element, 2); return f32_from_f16(half);
  case FFN_BF16: memcpy(&half, base + 2 * element, 2); return f32_from_bits((uint32_t)half << 16);
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
  }
}

// Element c of a term in a packed bf16 panel: the lower half of word c, or the upper half of word c − 16.
static inline size_t half_position(size_t c) { return c % FFN_PAIR_COLUMNS * 2 + c / FFN_PAIR_COLUMNS; }

// y[i * 32] = element (row, first + i) of m, as it is stored.
static void copy_halves(const struct ffn_matrix *m, size_t row, size_t first, size_t count, uint16_t *y) {
  const char *base = m->base;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first * m->column_stride, stride = m->column_stride;
  for (size_t i = 0; i < count; i++, element += stride) memcpy(y + i * FFN_PANEL_COLUMNS, base + 2 * element, 2);
}

// Rows first_row … first_row + columns − 1 of m become columns first_column … of a block of a panel,
// [terms of the block][32]; zeros where m has no such row.
static void pack_block(
    const struct ffn_matrix *m, enum ffn_type type, size_t first_row, size_t columns, size_t block, void *panel,
    size_t first_column) {
  size_t first = block * FFN_BLOCK_TERMS;
  size_t length = m->columns - first < FFN_BLOCK_TERMS ? m->columns - first : FFN_BLOCK_TERMS;
  for (size_t c = 0; c < columns; c++) {
    int is_zero = first_row + c >= m->rows;
    if (type == FFN_BF16) {
      uint16_t *halves = (uint16_t *)panel + half_position(first_column + c);
      if (!is_zero) copy_halves(m, first_row + c, first, length, halves);
      for (size_t k = 0; is_zero && k < length; k++) halves[k * FFN_PANEL_COLUMNS] = 0;
    } else {
      float *floats = (float *)panel + first_column + c;
      if (!is_zero) widen(m, first_row + c, first, length, floats, FFN_PANEL_COLUMNS);
      for (size_t k = 0; is_zero && k < length; k++) floats[k * FFN_PANEL_COLUMNS] = 0;
    }
  }
}

void ffn_pack_panels(
    const struct ffn_matrix *w, enum ffn_type type, size_t first_panel, size_t end_panel, void *weights) {
  size_t panels = ffn_ceil_div(w->rows, FFN_PANEL_COLUMNS), blocks = ffn_ceil_div(w->columns, FFN_BLOCK_TERMS);
  for (size_t p = first_panel; p < end_panel; p++) {
    for (size_t block = 0; block < blocks; block++) {
      char *panel = (char *)weights + ffn_panel_block(p, panels, block, w->columns) * ffn_term_bytes(type);
      pack_block(w, type, p * FFN_PANEL_COLUMNS, FFN_PANEL_COLUMNS, block, panel, 0);
    }
  }
}

void ffn_pack_pair_panels(
    const struct ffn_matrix *a, const struct ffn_matrix *b, enum ffn_type type, size_t first_panel, size_t end_panel,
    void *weights) {
  size_t panels = ffn_ceil_div(a->rows, FFN_PAIR_COLUMNS), blocks = ffn_ceil_div(a->columns, FFN_BLOCK_TERMS);
  for (size_t p = first_panel; p < end_panel; p++) {
    for (size_t block = 0; block < blocks; block++) {
      char *panel = (char *)weights + ffn_panel_block(p, panels, block, a->columns) * ffn_term_bytes(type);
      pack_block(a, type, p * FFN_PAIR_COLUMNS, FFN_PAIR_COLUMNS, block, panel, 0);
      pack_block(b, type, p * FFN_PAIR_COLUMNS, FFN_PAIR_COLUMNS, block, panel, FFN_PAIR_COLUMNS);
    }
  }
}

void ffn_widen(const struct ffn_matrix *v, size_t row, float *y, size_t count) { widen(v, row, 0, count, y, 1); }

void ffn_block_rows(const float *x, size_t rows, size_t terms, float *blocks) {
  for (size_t first = 0; first < terms; first += FFN_BLOCK_TERMS) {
    size_t length = terms - first < FFN_BLOCK_TERMS ? terms - first : FFN_BLOCK_TERMS;
    for (size_t r = 0; r < rows; r++, blocks += FFN_BLOCK_STRIDE) {
      memcpy(blocks, x + r * terms + first, length * sizeof(float));
    }
  }
}
