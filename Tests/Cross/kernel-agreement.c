// Every kernel set of the processor it runs on against the scalar one, bit by bit: for processors that the Swift tests
// can't reach, such as arm64 under an emulator. `Tests/Cross/run` builds and runs it. Exits 1 at the first difference.

#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

// Uniform in [-1, 1).
static float next_value(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (float)(state >> 40) * 0x1p-23f - 1;
}

static void *zeros(size_t count) {
  size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
  return memset(aligned_alloc(64, bytes), 0, bytes);
}

static float *floats(size_t count, float scale) {
  float *values = zeros(count);
  for (size_t i = 0; i < count; i++) values[i] = next_value() * scale;
  return values;
}

struct shape {
  size_t d_in, d_ff, d_out, rows;
};

// An arithmetic and what it packs: float32, float32 of bf16 weights, bf16, int8, int4.
enum way { F32, F32_OF_BF16, BF16, INT8, INT4, WAYS };

static const enum ffn_type packed_types[WAYS] = {FFN_F32, FFN_BF16, FFN_BF16, FFN_INT8, FFN_INT4};

// One layer on one set: output [rows, d_out], then hidden [rows, d_ff].
static void forward(
    const struct ffn_kernels *kernels, enum way way, struct shape s, enum ffn_gate_kind kind, const float *gate,
    const float *up, const float *down, const float *x, float *result) {
  int is_integer = way == INT8 || way == INT4;
  const struct ffn_arithmetic *functions = is_integer ? kernels->integer : way == BF16 ? kernels->bf16 : kernels->f32;
  enum ffn_type type = packed_types[way];
  size_t pair_panels = ffn_ceil_div(s.d_ff, FFN_PAIR_COLUMNS), panels = ffn_ceil_div(s.d_out, FFN_PANEL_COLUMNS);
  struct ffn_matrix a = {gate, FFN_F32, s.d_ff, s.d_in, (ptrdiff_t)s.d_in, 1, {0}}, b = a, w = a;
  b.base = up;
  w = (struct ffn_matrix){down, FFN_F32, s.d_out, s.d_ff, (ptrdiff_t)s.d_ff, 1, {0}};
  uint32_t *first = zeros(ffn_panels_words(pair_panels, s.d_in, type));
  uint32_t *second = zeros(ffn_panels_words(panels, s.d_ff, type));
  ffn_pack_pair_panels(&a, &b, type, 0, pair_panels, first);
  ffn_pack_panels(&w, type, 0, panels, second);
  float *bias = zeros((pair_panels + panels) * FFN_PANEL_COLUMNS);
  size_t row_floats = s.rows * FFN_BLOCK_STRIDE, stride = is_integer ? FFN_BYTE_BLOCK_STRIDE : FFN_BLOCK_STRIDE;
  float *x_blocks = zeros(ffn_ceil_div(s.d_in, FFN_BLOCK_TERMS) * row_floats);
  float *hidden_blocks = zeros(ffn_ceil_div(s.d_ff, FFN_BLOCK_TERMS) * row_floats);
  float *hidden_bytes = zeros(ffn_ceil_div(s.d_ff, FFN_BLOCK_TERMS) * row_floats);
  float *totals = zeros(FFN_GROUP_PANELS * s.rows * FFN_PANEL_COLUMNS);
  struct ffn_blocking input = {x, FFN_BLOCK_TERMS, s.d_in, s.rows, s.d_in, x_blocks};
  functions->block_rows(&input, 0, s.rows);
  struct ffn_gate_up job = {
      {first, type, bias, s.d_in, pair_panels, s.d_ff}, {x_blocks, s.rows * stride, s.rows}, {kind, 1, 7}, way == BF16,
      hidden_blocks, result + s.rows * s.d_out, NULL, NULL};
  functions->gate_up(&job, 0, pair_panels, totals);
  struct ffn_blocking hidden = {hidden_blocks, row_floats, FFN_BLOCK_STRIDE, s.rows, s.d_ff, hidden_bytes};
  if (is_integer) functions->block_rows(&hidden, 0, s.rows);
  struct ffn_project last = {
      {second, type, bias, s.d_ff, panels, s.d_out},
      {is_integer ? hidden_bytes : hidden_blocks, s.rows * stride, s.rows},
      result};
  functions->project(&last, 0, panels, totals);
  free(first), free(second), free(bias), free(x_blocks), free(hidden_blocks), free(hidden_bytes), free(totals);
}

int main(void) {
  const struct shape shapes[] = {{1, 1, 1, 1},      {4, 8, 4, 2},      {17, 33, 31, 3},    {512, 64, 32, 4},
                                 {511, 65, 97, 13}, {300, 129, 45, 7}, {513, 515, 130, 25}};
  size_t sets = 0, checks = 0;
  uint64_t digest = 14695981039346656037u; // FNV-1a of the scalar results, to compare processors by
  while (ffn_available_kernels(sets)) sets++;
  const struct ffn_kernels *scalar = ffn_available_kernels(sets - 1);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    struct shape s = shapes[i];
    float *gate = floats(s.d_ff * s.d_in, 0.2f), *up = floats(s.d_ff * s.d_in, 0.2f);
    float *down = floats(s.d_out * s.d_ff, 0.2f), *x = floats(s.rows * s.d_in, 2);
    size_t count = s.rows * (s.d_out + s.d_ff);
    float *want = zeros(count), *got = zeros(count);
    for (int kind = FFN_GLU; kind <= FFN_GEGLU_SIGMOID; kind++) {
      for (enum way way = 0; way < WAYS; way++) {
        forward(scalar, way, s, kind, gate, up, down, x, want);
        for (size_t set = 0; set + 1 < sets; set++) {
          const struct ffn_kernels *kernels = ffn_available_kernels(set);
          if (way == BF16 && !strcmp(kernels->name, "avx512_bf16")) continue; // sums pairs in an order of its own
          forward(kernels, way, s, kind, gate, up, down, x, got);
          if (memcmp(want, got, count * sizeof(float))) {
            printf("%s differs: %zux%zu -> %zu, %zu rows, gate %d, way %d\n", kernels->name, s.d_in, s.d_ff, s.d_out,
                   s.rows, kind, (int)way);
            return 1;
          }
          checks++;
        }
        for (size_t n = 0; n < count * sizeof(float); n++) {
          digest = (digest ^ ((const unsigned char *)want)[n]) * 1099511628211u;
        }
      }
    }
    free(gate), free(up), free(down), free(x), free(want), free(got);
  }
  printf("%s", "kernel sets:");
  for (size_t set = 0; set < sets; set++) printf(" %s", ffn_available_kernels(set)->name);
  printf("; %zu comparisons, no difference; digest %016llx\n", checks, (unsigned long long)digest);
  return sets > 1 ? 0 : 1;
}
