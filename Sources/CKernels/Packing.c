#include "PackingIntegers.h"

#include <stdbool.h>
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

// OCP E4M3 to binary32, exact.
static inline float f32_from_e4m3(uint8_t byte) {
  uint32_t sign = (uint32_t)(byte & 0x80) << 24, magnitude = byte & 0x7F;
  if (magnitude == 0x7F) return f32_from_bits(sign | 0x7FC00000);
  if (magnitude >= 0x08) return f32_from_bits(sign | ((magnitude << 20) + 0x3C000000));
  float value = (float)magnitude * 0x1p-9f;
  return sign ? -value : value;
}

// 2^(e − 127), the lowest of which is subnormal.
static inline float f32_from_e8m0(uint8_t e) {
  return f32_from_bits(e == 0 ? 0x00400000 : e == 0xFF ? 0x7FC00000 : (uint32_t)e << 23);
}

// An element of a source matrix, whose type is that of no integer panel.
static inline float load(const char *base, enum ffn_type type, ptrdiff_t element) {
  static const float e2m1[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  const uint8_t *bytes = (const uint8_t *)base;
  uint16_t half;
  float value;
  switch (type) {
  case FFN_F32: memcpy(&value, base + 4 * element, 4); return value;
  case FFN_F16: memcpy(&half, base + 2 * element, 2); return f32_from_f16(half);
  case FFN_BF16: memcpy(&half, base + 2 * element, 2); return f32_from_bits((uint32_t)half << 16);
  case FFN_F8_E4M3: return f32_from_e4m3(bytes[element]);
  case FFN_F4_E2M1: return e2m1[bytes[element / 2] >> (element % 2 * 4) & 0xF];
  case FFN_F8_E8M0: return f32_from_e8m0(bytes[element]);
  case FFN_INT8:
  case FFN_INT4: break;
  }
  return 0;
}

// The loop stands once for each type, so that none asks within it, and once more for rows that stay rows, in vectors.
static inline __attribute__((always_inline)) void widen_as(
    enum ffn_type type, const char *base, ptrdiff_t element, ptrdiff_t stride, size_t count, float *y, size_t step) {
  if (stride == 1 && step == 1) {
    for (size_t i = 0; i < count; i++) y[i] = load(base, type, element + (ptrdiff_t)i);
  } else {
    for (size_t i = 0; i < count; i++, element += stride) y[i * step] = load(base, type, element);
  }
}

// y[i * step] *= the scale of element (row, first + i) of m, one product at a time.
static void scale(const struct ffn_matrix *m, size_t row, size_t first, size_t count, float *y, size_t step) {
  const struct ffn_scale_axis *rows = &m->scales.rows, *columns = &m->scales.columns;
  ptrdiff_t row_scales = (ptrdiff_t)((rows->first + row * rows->step) / rows->block) * rows->stride;
  for (size_t i = 0; i < count;) {
    size_t place = columns->first + (first + i) * columns->step, block = place / columns->block;
    float factor = load(m->scales.base, m->scales.type, row_scales + (ptrdiff_t)block * columns->stride);
    size_t end = i + ffn_ceil_div((block + 1) * columns->block - place, columns->step);
    for (end = end < count ? end : count; i < end; i++) y[i * step] *= factor;
  }
}

// y[i * step] = element (row, first + i) of m.
static void widen(const struct ffn_matrix *m, size_t row, size_t first, size_t count, float *y, size_t step) {
  const char *base = m->base;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first * m->column_stride, stride = m->column_stride;
  switch (m->type) {
  case FFN_F32: widen_as(FFN_F32, base, element, stride, count, y, step); break;
  case FFN_F16: widen_as(FFN_F16, base, element, stride, count, y, step); break;
  case FFN_BF16: widen_as(FFN_BF16, base, element, stride, count, y, step); break;
  case FFN_F8_E4M3: widen_as(FFN_F8_E4M3, base, element, stride, count, y, step); break;
  case FFN_F4_E2M1: widen_as(FFN_F4_E2M1, base, element, stride, count, y, step); break;
  case FFN_F8_E8M0: widen_as(FFN_F8_E8M0, base, element, stride, count, y, step); break;
  case FFN_INT8:
  case FFN_INT4: break;
  }
  if (m->scales.base) scale(m, row, first, count, y, step);
}

// y[k / 2 * 64 + k % 2] = element (row, first + k) of m as bf16: the lower and upper halves of one output's words. At
// most a block's terms.
static void narrow(const struct ffn_matrix *m, size_t row, size_t first, size_t count, uint16_t *y) {
  const char *base = m->base;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first * m->column_stride, stride = m->column_stride;
  bool is_copy = m->type == FFN_BF16 && !m->scales.base;
  float values[FFN_BLOCK_TERMS];
  if (!is_copy) widen(m, row, first, count, values, 1);
  for (size_t k = 0; k < count; k++, element += stride) {
    uint16_t *half = y + k / 2 * (2 * FFN_PANEL_COLUMNS) + k % 2;
    if (is_copy) {
      memcpy(half, base + 2 * element, 2);
    } else {
      *half = bf16_from_f32(values[k]);
    }
  }
}

// Prefetches elements (row, first … first + count − 1) of m, where there is such a row and its elements lie side by side:
// a row of a block is over before the processor has seen where it leads, and the next one lies elsewhere.
static void fetch_row(const struct ffn_matrix *m, size_t row, size_t first, size_t count) {
  if (row >= m->rows || m->column_stride != 1) return;
  size_t bits = m->type == FFN_F32 ? 32 : m->type == FFN_F4_E2M1 ? 4 : 8;
  if (m->type == FFN_F16 || m->type == FFN_BF16) bits = 16;
  ptrdiff_t element = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)first;
  const char *start = (const char *)m->base + element * (ptrdiff_t)bits / 8;
  for (size_t byte = 0; byte < count * bits / 8; byte += 64) __builtin_prefetch(start + byte);
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
    fetch_row(m, row + 1, first, length);
    if (type == FFN_INT8 || type == FFN_INT4) {
      float values[FFN_BLOCK_TERMS] = {0};
      if (row < m->rows) widen(m, row, first, length, values, 1);
      const struct integer_packing *packing = ffn_integer_packing();
      (type == FFN_INT8 ? packing->int8_column : packing->int4_column)(values, length, c, panel);
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
