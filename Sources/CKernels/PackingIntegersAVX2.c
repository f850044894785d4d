// Weights to bytes and nibbles with AVX2.

#if defined(__x86_64__)

#include "PackingIntegers.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define LANES 8
#include "PackingLoops.h"

#pragma clang attribute pop

const struct integer_packing ffn_avx2_packing = {pack_int8_column, pack_int4_column};

#endif
