#pragma once

#include "GateMath.h"

// The including file defines row_element, in which its row blocks are.

// totals[row][32] (+)= Σ_k x[row][k]·w[k][32] over the terms of one block, for one panel and one number of rows: set
// where it is the first block, added where not. Each step's turn prefetches two cache lines at `ahead`, which moves on
// by `ahead_step` bytes.
typedef void tile_function(
    const row_element *x, const uint32_t *w, size_t terms, float *totals, int first, const char *ahead,
    size_t ahead_step);

// The tiles for one type of panels.
struct tiles {
  tile_function *const *of_rows; // of_rows[n - 1] takes n rows
  size_t rows;                   // at most
  tile_function *two_panels;     // one row and two panels, one block after the other; NULL where it doesn't pay
};
