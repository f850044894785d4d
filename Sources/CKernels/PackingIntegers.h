#pragma once

#include "CKernels.h"

// A block's weights of one output, turned in place and quantised, into column `column` of a panel's block.
void ffn_pack_int8_column(float *values, size_t terms, size_t column, uint32_t *panel);
void ffn_pack_int4_column(float *values, size_t terms, size_t column, uint32_t *panel);
