// Integer arithmetic on NEON by widening and multiply–add of words: tiles of up to 2 rows × 32 outputs in 16 of the 32
// registers, 1 row in int4.

#if defined(__aarch64__)

#include "KernelSets.h"

#define LANES 4
#define INT8_TILE_ROWS 2
#define INT4_TILE_ROWS 1

typedef int8_t row_element;

#include "GateMath.h"

typedef uint32_t vwords __attribute__((ext_vector_type(LANES)));

INLINE vint dot(vint sum, vint weights, vint inputs) {
  vwords w = __builtin_bit_cast(vwords, weights);
  sum += __builtin_bit_cast(vint, w & 0xFF) * (inputs << 24 >> 24);
  sum += __builtin_bit_cast(vint, w >> 8 & 0xFF) * (inputs << 16 >> 24);
  sum += __builtin_bit_cast(vint, w >> 16 & 0xFF) * (inputs << 8 >> 24);
  return sum + __builtin_bit_cast(vint, w >> 24) * (inputs >> 24);
}

#include "IntegerTile.h"

INTEGER_TILE(int8, 1) INTEGER_TILE(int8, 2) INTEGER_TILE(int4, 1)

static tile_function *const int8_tiles[INT8_TILE_ROWS] = {int8_tile_1, int8_tile_2};
static tile_function *const int4_tiles[INT4_TILE_ROWS] = {int4_tile_1};

#include "IntegerKernels.h"

uint64_t ffn_neon_integer_multiply_adds(size_t steps, float *sink) { return integer_multiply_adds(steps, sink); }

const struct ffn_arithmetic ffn_neon_integer_arithmetic = {quantise_rows, gate_up, project};

#endif
