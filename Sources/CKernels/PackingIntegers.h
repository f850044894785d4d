#pragma once

#include "CKernels.h"

// One output's weights in a block of a packed panel; `values`, with room for a whole block, are turned in place.
typedef void pack_column_function(float *values, size_t terms, size_t column, uint32_t *panel);

struct integer_packing {
  pack_column_function *int8_column, *int4_column;
};

extern const struct integer_packing ffn_portable_packing;
#if defined(__x86_64__)
extern const struct integer_packing ffn_avx2_packing; // half the time
#endif

// The fastest that this processor can run.
const struct integer_packing *ffn_integer_packing(void);
