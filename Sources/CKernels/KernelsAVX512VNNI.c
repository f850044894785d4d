// Integer arithmetic by vpdpbusd: tiles of up to 12 rows × 32 outputs in 24 of the 32 registers, 6 rows in int4.

#if defined(__x86_64__)

#include "KernelSets.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma"))), apply_to = function)

#define LANES 16
#define INT8_TILE_ROWS 12
#define INT4_TILE_ROWS 6

typedef int8_t row_element;

#include "GateMath.h"

INLINE vint dot(vint sum, vint weights, vint inputs) { return __builtin_ia32_vpdpbusd512(sum, weights, inputs); }

#include "IntegerTile.h"

INTEGER_TILE(int8, 1) INTEGER_TILE(int8, 2) INTEGER_TILE(int8, 3) INTEGER_TILE(int8, 4) INTEGER_TILE(int8, 5)
INTEGER_TILE(int8, 6) INTEGER_TILE(int8, 7) INTEGER_TILE(int8, 8) INTEGER_TILE(int8, 9) INTEGER_TILE(int8, 10)
INTEGER_TILE(int8, 11) INTEGER_TILE(int8, 12)
INTEGER_TILE(int4, 1) INTEGER_TILE(int4, 2) INTEGER_TILE(int4, 3) INTEGER_TILE(int4, 4) INTEGER_TILE(int4, 5)
INTEGER_TILE(int4, 6)

static tile_function *const int8_tiles[INT8_TILE_ROWS] = {
    int8_tile_1, int8_tile_2, int8_tile_3, int8_tile_4,  int8_tile_5,  int8_tile_6,
    int8_tile_7, int8_tile_8, int8_tile_9, int8_tile_10, int8_tile_11, int8_tile_12};
static tile_function *const int4_tiles[INT4_TILE_ROWS] = {
    int4_tile_1, int4_tile_2, int4_tile_3, int4_tile_4, int4_tile_5, int4_tile_6};

#include "IntegerKernels.h"

uint64_t ffn_vnni_multiply_adds(size_t steps, float *sink) { return integer_multiply_adds(steps, sink); }

#pragma clang attribute pop

const struct ffn_arithmetic ffn_vnni_arithmetic = {quantise_rows, gate_up, project};

#endif
