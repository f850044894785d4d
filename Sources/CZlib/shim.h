// zlib, and the few of its macros that Swift cannot import.
#pragma once

#define ZLIB_CONST // next_in points to const: zlib reads its input and Swift need not cast that away.
#include <zlib.h>

/// inflateInit2 is a macro over the header's version and the size of z_stream.
static inline int sluice_inflate_init(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }

/// deflateInit2 likewise; always the default strategy.
static inline int sluice_deflate_init(z_stream *stream, int level, int window_bits, int memory_level) {
  return deflateInit2(stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY);
}
