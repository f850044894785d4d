// Integer arithmetic by vpmaddwd on AVX2: tiles of up to 2 rows × 32 outputs in 8 of the 16 registers, 1 row in int4.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LANES 8
#define INT8_TILE_ROWS 2
#define INT4_TILE_ROWS 1

typedef int8_t row_element;

#include "GateMath.h"

typedef int16_t vhalves __attribute__((ext_vector_type(2 * LANES)));
typedef uint16_t vunsigned_halves __attribute__((ext_vector_type(2 * LANES)));

// Even and odd bytes apart, each widened: vpmaddubsw would saturate.
INLINE vint dot(vint sum, vint weights, vint inputs) {
  vunsigned_halves w = __builtin_bit_cast(vunsigned_halves, weights);
  vhalves x = __builtin_bit_cast(vhalves, inputs), even = x << 8 >> 8, odd = x >> 8;
  vhalves even_weights = __builtin_bit_cast(vhalves, w & 0xFF), odd_weights = __builtin_bit_cast(vhalves, w >> 8);
  return sum + __builtin_bit_cast(vint, __builtin_ia32_pmaddwd256(even_weights, even)) +
         __builtin_bit_cast(vint, __builtin_ia32_pmaddwd256(odd_weights, odd));
}

#include "IntegerTile.h"

INTEGER_TILE(int8, 1) INTEGER_TILE(int8, 2) INTEGER_TILE(int4, 1)

static tile_function *const int8_tiles[INT8_TILE_ROWS] = {int8_tile_1, int8_tile_2};
static tile_function *const int4_tiles[INT4_TILE_ROWS] = {int4_tile_1};

#include "IntegerKernels.h"

uint64_t ffn_avx2_integer_multiply_adds(size_t steps, float *sink) { return integer_multiply_adds(steps, sink); }

#pragma clang attribute pop

const struct ffn_arithmetic ffn_avx2_integer_arithmetic = {quantise_rows, gate_up, project};

#endif
