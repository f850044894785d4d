#pragma once

// The orthogonal matrix of integer arithmetic: the including file defines LANES.
//
// A block is cut into runs of 512, 256, … 16 terms, each at most once and the longest first; fewer than 16 terms are
// left as they are. A run of n terms is multiplied by H_n/√n, with H_1 = (1), H_2n = (H_n H_n; H_n −H_n) (Sylvester),
// in log₂ n passes of sums and differences over distances 1, 2, 4, …: one order, and so the same bits, everywhere.
// What was one outlier among n terms becomes 1/√n of it in each, and n independent terms become normally distributed.

#include "GateMath.h"

enum { ROTATION_TERMS_MIN = 16 };

// f(0, h), f(1, h), … for all lanes: the arguments of a shuffle.
#if LANES == 16
#define EACH_LANE(f, h)                                                                                                \
  f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h), f(8, h), f(9, h), f(10, h), f(11, h),        \
      f(12, h), f(13, h), f(14, h), f(15, h)
#elif LANES == 8
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h)
#elif LANES == 4
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h)
#endif

#define PARTNER(lane, h) lane ^ h
#define SWAPPED(x, h) __builtin_shufflevector(x, x, EACH_LANE(PARTNER, h))

#if LANES > 1
// Sums in the lower and differences in the upper lanes of each pair at distance h. Where a multiply–add is an
// instruction it takes the place of turning signs and adding: the product with ±1 is exact.
#if LANES == 16
INLINE vfloat sign_of_bit(int h) {
  vfloat signs = {0};
  for (int lane = 0; lane < LANES; lane++) signs[lane] = lane & h ? -1.0f : 1.0f;
  return signs;
}
#define PASS_WITHIN(x, h) multiply_add(x, sign_of_bit(h), SWAPPED(x, h))
#else
INLINE vint sign_of_bit(int h) {
  vint signs = {0};
  for (int lane = 0; lane < LANES; lane++) signs[lane] = lane & h ? INT32_MIN : 0;
  return signs;
}
#define PASS_WITHIN(x, h)                                                                                              \
  (SWAPPED(x, h) + __builtin_bit_cast(vfloat, __builtin_bit_cast(vint, x) ^ sign_of_bit(h)))
#endif
#endif

// The passes inside a vector.
INLINE vfloat rotate_vector(vfloat x) {
#if LANES > 1
  x = PASS_WITHIN(x, 1);
  x = PASS_WITHIN(x, 2);
#endif
#if LANES > 4
  x = PASS_WITHIN(x, 4);
#endif
#if LANES > 8
  x = PASS_WITHIN(x, 8);
#endif
  return x;
}

// The passes over distances h, 2h, … radix·h/2 at once, for the terms of a run in registers; the first time with those
// inside a vector before.
INLINE void passes(const int radix, const int is_first, const float *x, vfloat scale, float *y, size_t n, size_t h) {
  for (size_t first = 0; first < n; first += (size_t)radix * h) {
    for (size_t i = first; i < first + h; i += LANES) {
      vfloat v[8];
      UNROLLED for (int r = 0; r < radix; r++) {
        v[r] = load((is_first ? x : y) + i + (size_t)r * h);
        if (is_first) v[r] = rotate_vector(v[r] * scale);
      }
      UNROLLED for (int step = 1; step < radix; step *= 2) {
        UNROLLED for (int r = 0; r < radix; r++) {
          if (r & step) continue;
          vfloat sum = v[r] + v[r + step], difference = v[r] - v[r + step];
          v[r] = sum;
          v[r + step] = difference;
        }
      }
      UNROLLED for (int r = 0; r < radix; r++) store(y + i + (size_t)r * h, v[r]);
    }
  }
}

// One run of n terms, a power of two and at least 16: y = H·x/√n; y may be x.
static inline void rotate_run(const float *x, float *y, size_t n) {
  // 1/√n to the nearest; applied first, so that what fits into float32 stays within it as long as it can.
  static const float scales[] = {0.25f, 0x1.6a09e6p-3f, 0.125f, 0x1.6a09e6p-4f, 0.0625f, 0x1.6a09e6p-5f};
  vfloat scale = splat(scales[__builtin_ctzl(n) - 4]);
  size_t h = LANES;
  if (n >= 8 * LANES) {
    passes(8, 1, x, scale, y, n, h);
    h *= 8;
  } else {
    passes(1, 1, x, scale, y, n, h);
  }
  for (; 8 * h <= n; h *= 8) passes(8, 0, x, scale, y, n, h);
  if (4 * h == n) passes(4, 0, x, scale, y, n, h);
  if (2 * h == n) passes(2, 0, x, scale, y, n, h);
}

// A block of `terms` terms, at most 512; y may be x.
static inline void rotate_block(const float *x, float *y, size_t terms) {
  size_t first = 0;
  for (size_t n = FFN_BLOCK_TERMS; n >= ROTATION_TERMS_MIN; n /= 2) {
    if (terms & n) {
      rotate_run(x + first, y + first, n);
      first += n;
    }
  }
  for (; first < terms; first++) y[first] = x[first];
}
