// Every finite float32, or every STEP-th pattern from FIRST on, through the activation functions of a kernel set, against
// float64: the bounds that GateMath.h states. `make scan` builds and runs it. Exits 1 where a bound does not hold.
//
//   activation-scan [STEP [FIRST [SET]]]

#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 14 };

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double gelu(double x) { return x * 0.5 * erfc(-x / sqrt(2)); }
static double silu(double x) { return x * sigmoid(x); }
static double gelu_quick(double x) { return x * sigmoid(1.702 * x); }
static double gelu_tanh(double x) { return x * sigmoid(2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)); }

// Units in the last place allowed at x. A rounded argument u of σ adds |u|; a subnormal σ or Φ is multiplied by |x|.
static double sigmoid_bound(double x) { return (void)x, 2.5; }
static double tanh_bound(double x) { return (void)x, 1.5; }
static double gelu_bound(double x) { return x < -12.9 ? -x : 6.5; }
static double silu_bound(double x) { return x < -87 ? -x : 3.3; }
static double gelu_quick_bound(double x) { return x < -51 ? -3 * x : x < 0 ? 3 - 2 * x : 3; }
static double gelu_tanh_bound(double x) {
  return x < -9.9 ? -30 * x : x < 0 ? 3 + 3 * fabs(1.6 * x + 0.0714 * x * x * x) : 3;
}

// An activation, reached through a gate whose other operand leaves it as it is.
static const struct activation {
  const char *name;
  enum ffn_gate_kind gate;
  int scans_b;
  float other;
  double (*exact)(double), (*bound)(double);
} activations[] = {
    {"sigmoid", FFN_GLU, 1, 1, sigmoid, sigmoid_bound},
    {"tanh", FFN_GTU, 0, INFINITY, tanh, tanh_bound},
    {"gelu", FFN_GEGLU, 0, 1, gelu, gelu_bound},
    {"silu", FFN_SWIGLU, 0, 1, silu, silu_bound},
    {"gelu_quick", FFN_GEGLU_QUICK, 0, 1, gelu_quick, gelu_quick_bound},
    {"gelu_tanh", FFN_GEGLU_TANH, 0, 1, gelu_tanh, gelu_tanh_bound},
};

// |value − exact| in units in the last place of the float32 nearest to `exact`; a subnormal's unit is 2⁻¹⁴⁹.
static double units(float value, double exact) {
  float nearest = (float)exact;
  if (nearest == value) return 0;
  if (isinf(nearest) || !isfinite(value)) {
    return fabsf(isinf(nearest) ? value : nearest) == 0x1.fffffep127f ? 1 : INFINITY;
  }
  int exponent;
  frexpf(nearest, &exponent);
  return fabs(value - exact) / ldexp(1, exponent - 24 > -149 ? exponent - 24 : -149);
}

int main(int count, char **arguments) {
  uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 0) : 1, first = count > 2 ? strtoull(arguments[2], NULL, 0) : 0;
  const struct ffn_kernels *kernels = ffn_available_kernels(0);
  for (size_t set = 0; count > 3 && kernels && strcmp(kernels->name, arguments[3]); set++) {
    kernels = ffn_available_kernels(set);
  }
  if (!kernels || !step) return fprintf(stderr, "usage: activation-scan [STEP [FIRST [SET]]]\n"), 2;
  int fails = 0;
  static float x[CHUNK], other[CHUNK], y[CHUNK];
  for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
    const struct activation *activation = &activations[i];
    struct ffn_gate gate = {activation->gate, 1, 7};
    double worst = 0, share = 0;
    float worst_x = 0;
    uint64_t values = 0;
    for (size_t c = 0; c < CHUNK; c++) other[c] = activation->other;
    for (uint64_t next = first; next <= UINT32_MAX;) {
      size_t length = 0;
      for (; length < CHUNK && next <= UINT32_MAX; next += step) {
        uint32_t bits = (uint32_t)next;
        if ((bits & 0x7F800000) != 0x7F800000) memcpy(&x[length++], &bits, sizeof bits);
      }
      if (activation->scans_b) {
        kernels->gate(&gate, other, x, y, length);
      } else {
        kernels->gate(&gate, x, other, y, length);
      }
      values += length;
      for (size_t c = 0; c < length; c++) {
        double error = units(y[c], activation->exact(x[c])), of_bound = error / activation->bound(x[c]);
        if (error > worst && x[c] > -9) worst = error;
        if (!(of_bound <= share)) share = of_bound, worst_x = x[c];
      }
    }
    printf("%-10s %s: %llu values, at most %.3f units above -9; at most %.3f of the bound, at %a\n", activation->name,
           kernels->name, (unsigned long long)values, worst, share, worst_x);
    fflush(stdout);
    fails |= !(share <= 1);
  }
  return fails;
}
