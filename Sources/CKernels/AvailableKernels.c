#include "KernelSets.h"
#include "PackingIntegers.h"

#include <stdbool.h>

#if defined(__x86_64__)

#include <cpuid.h>

// What the processor has and the operating system saves. A feature without its registers' state enabled in XCR0
// would fault or lose its upper halves at the next context switch.
struct features {
  bool avx2_fma, avx512, avx512_vnni, avx512_bf16;
};

static uint64_t enabled_state(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static struct features detect(void) {
  struct features found = {false, false, false, false};
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA)) return found;
  uint64_t state = enabled_state();
  uint64_t avx = 0x06, avx512 = 0xE6; // XMM and YMM; and opmask, the upper halves of ZMM 0–15, ZMM 16–31
  if ((state & avx) != avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx2_fma = b & bit_AVX2;
  if ((state & avx512) != avx512) return found;
  found.avx512 = (b & bit_AVX512F) && (b & bit_AVX512VL) && (b & bit_AVX512BW);
  found.avx512_vnni = found.avx512 && (c & bit_AVX512VNNI);
  found.avx512_bf16 = found.avx512_vnni && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
  return found;
}

#endif

const struct ffn_kernels *ffn_available_kernels(size_t index) {
  const struct ffn_kernels *available[5];
  size_t count = 0;
#if defined(__x86_64__)
  struct features found = detect();
  if (found.avx512_bf16) available[count++] = &ffn_kernels_avx512_bf16;
  if (found.avx512_vnni) available[count++] = &ffn_kernels_avx512_vnni;
  if (found.avx512) available[count++] = &ffn_kernels_avx512;
  if (found.avx2_fma) available[count++] = &ffn_kernels_avx2;
#endif
#if defined(__aarch64__)
  available[count++] = &ffn_kernels_neon;
#endif
  available[count++] = &ffn_kernels_scalar;
  return index < count ? available[index] : 0;
}

const struct integer_packing *ffn_integer_packing(void) {
#if defined(__x86_64__)
  // Asking the processor takes microseconds where it is a virtual one.
  static _Atomic(const struct integer_packing *) chosen;
  const struct integer_packing *packing = chosen;
  if (!packing) chosen = packing = detect().avx2_fma ? &ffn_avx2_packing : &ffn_portable_packing;
  return packing;
#else
  return &ffn_portable_packing;
#endif
}
