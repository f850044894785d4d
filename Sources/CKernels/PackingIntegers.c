// Weights to bytes and nibbles with what every processor has.

// Wider vectors than the processor's are passed to functions that are inlined, and to no other.
#pragma clang diagnostic ignored "-Wpsabi"

#define LANES 8

#include "PackingIntegers.h"
#include "PackingLoops.h"

const struct integer_packing ffn_portable_packing = {pack_int8_column, pack_int4_column};
