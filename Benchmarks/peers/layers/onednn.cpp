// A gated feed-forward layer, down(swish(gate(x)) * up(x)), computed by oneDNN, one turn at a time:
//   onednn D_MODEL D_FF f32|bf16|int8
// The first line out is {"record":"ready",…}; each line "ROWS SECONDS" in is answered by {"record":"turn",…}. The
// threads are OpenMP's. Written for oneDNN 2.6 and 2.7, where scales are attributes of a primitive.
//
// int8 is oneDNN at its best: weights with a scale per output, inputs and hidden values with one scale that is known
// beforehand, which a server would have to find for each row.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "dnnl.hpp"

using dnnl::memory;
using Kind = memory::data_type;
using Layout = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

namespace {

// Numbers in [-bound, bound) without a pattern.
std::vector<float> numbers(size_t count, float bound, uint64_t seed) {
  std::vector<float> values(count);
  for (float &value : values) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    value = (static_cast<float>(seed >> 40) * 0x1p-23f - 1) * bound;
  }
  return values;
}

// W [terms, outputs], row-major as a matmul takes it; of variance 1/terms.
struct Weights {
  long terms, outputs;
  std::vector<float> values;

  Weights(long terms, long outputs, uint64_t seed)
      : terms(terms), outputs(outputs),
        values(numbers(static_cast<size_t>(terms) * outputs, std::sqrt(3.0f / terms), seed)) {}

  std::vector<double> times(const std::vector<double> &x) const {
    std::vector<double> y(outputs);
    for (long k = 0; k < terms; k++) {
      const float *row = values.data() + k * outputs;
      for (long n = 0; n < outputs; n++) y[n] += x[k] * row[n];
    }
    return y;
  }

  // The largest magnitude of each output's weights, as 127 steps.
  std::vector<float> scales() const {
    std::vector<float> largest(outputs, 1e-20f);
    for (long k = 0; k < terms; k++) {
      const float *row = values.data() + k * outputs;
      for (long n = 0; n < outputs; n++) largest[n] = std::max(largest[n], std::fabs(row[n]));
    }
    for (float &value : largest) value /= 127;
    return largest;
  }

  std::vector<int8_t> rounded(const std::vector<float> &scales) const {
    std::vector<int8_t> whole(values.size());
    for (size_t i = 0; i < values.size(); i++) whole[i] = std::lround(values[i] / scales[i % outputs]);
    return whole;
  }
};

class Device {
public:
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};

  memory make(const memory::desc &desc) { return memory(desc, engine); }

  // Row-major `values` of `kind` in the layout that `desc` asks for.
  template <class Value>
  memory copy(const std::vector<Value> &values, Kind kind, long rows, long columns, const memory::desc &desc) {
    memory source({{rows, columns}, kind, Layout::ab}, engine, const_cast<Value *>(values.data()));
    memory target(desc, engine);
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return target;
  }

  std::vector<float> read(memory source, long rows, long columns) {
    std::vector<float> values(static_cast<size_t>(rows) * columns);
    memory target({{rows, columns}, Kind::f32, Layout::ab}, engine, values.data());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return values;
  }
};

struct Layer {
  Weights up, gate, down;
  Layer(long d_model, long d_ff) : up(d_model, d_ff, 1), gate(d_model, d_ff, 2), down(d_ff, d_model, 3) {}
};

// The layer's primitives for one number of rows, with weights in the layout that they ask for.
class Pass {
public:
  Pass(Device &device, const Layer &layer, const std::string &arithmetic, long rows) : device(device), rows(rows) {
    const bool whole = arithmetic == "int8";
    const Kind kind = whole ? Kind::s8 : arithmetic == "bf16" ? Kind::bf16 : Kind::f32;
    const Kind wide = whole ? Kind::f32 : kind;
    d_model = layer.up.terms;
    const long d_ff = layer.up.outputs;
    input = numbers(static_cast<size_t>(rows) * d_model, 1, 4);
    const memory::desc x_desc({rows, d_model}, kind, Layout::ab), h_desc({rows, d_ff}, kind, Layout::ab);
    const memory::desc u_desc({rows, d_ff}, wide, Layout::ab);
    const memory::desc y_desc({rows, d_model}, whole ? Kind::f32 : kind, Layout::ab);
    const float x_scale = 1 / 127.0f, h_scale = whole ? hidden_scale(layer) : 1;
    output = device.make(y_desc);
    memory x = device.make(x_desc), u = device.make(u_desc), h = device.make(h_desc);
    if (whole) {
      memory plain = device.copy(input, Kind::f32, rows, d_model, {{rows, d_model}, Kind::f32, Layout::ab});
      dnnl::primitive_attr attributes;
      attributes.set_output_scales(0, {1 / x_scale});
      steps.push_back({dnnl::reorder(dnnl::reorder::primitive_desc(plain, x, attributes)),
                       {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, x}}});
    } else {
      x = device.copy(input, Kind::f32, rows, d_model, x_desc);
    }
    add(layer.up, x, u, {}, {}, whole ? x_scale : 0, 0);
    add(layer.gate, x, h, u, dnnl::algorithm::eltwise_swish, whole ? x_scale : 0, whole ? h_scale : 0);
    add(layer.down, h, output, {}, {}, whole ? h_scale : 0, 0);
    compute();
  }

  void compute() {
    for (auto &step : steps) step.primitive.execute(device.stream, step.arguments);
    device.stream.wait();
  }

  // Relative error of the first row's norm against the same formula in double.
  double error(const Layer &layer) {
    std::vector<double> x(input.begin(), input.begin() + d_model);
    const std::vector<double> exact = layer.down.times(hidden(layer, x));
    const std::vector<float> found = device.read(output, rows, d_model);
    double difference = 0, norm = 0;
    for (long i = 0; i < d_model; i++) {
      difference += (found[i] - exact[i]) * (found[i] - exact[i]);
      norm += exact[i] * exact[i];
    }
    return std::sqrt(difference / norm);
  }

  std::string implementation;

private:
  struct Step {
    dnnl::primitive primitive;
    Arguments arguments;
  };

  Device &device;
  long rows, d_model;
  std::vector<float> input;
  memory output;
  std::vector<Step> steps;

  static std::vector<double> hidden(const Layer &layer, const std::vector<double> &x) {
    std::vector<double> gate = layer.gate.times(x);
    const std::vector<double> up = layer.up.times(x);
    for (size_t i = 0; i < gate.size(); i++) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    return gate;
  }

  // As many steps as the first row's largest hidden value needs, and a quarter more for the others.
  float hidden_scale(const Layer &layer) const {
    std::vector<double> x(input.begin(), input.begin() + d_model);
    double largest = 0;
    for (double value : hidden(layer, x)) largest = std::max(largest, std::fabs(value));
    return static_cast<float>(1.25 * largest / 127);
  }

  // y = x·W, then activated and multiplied by `factor` where there is one. Scales are 0 where there are none.
  void add(const Weights &weights, memory x, memory y, memory factor, dnnl::algorithm activation, float x_scale,
           float y_scale) {
    dnnl::primitive_attr attributes;
    const std::vector<float> steps_of_outputs = weights.scales();
    if (x_scale != 0) {
      std::vector<float> scales = steps_of_outputs;
      for (float &scale : scales) scale *= x_scale;
      attributes.set_output_scales(1 << 1, scales);
    }
    dnnl::post_ops after;
    if (factor) {
      after.append_eltwise(1, activation, 1, 0);
      after.append_binary(dnnl::algorithm::binary_mul, factor.get_desc());
      if (y_scale != 0) after.append_eltwise(1, dnnl::algorithm::eltwise_linear, 1 / y_scale, 0);
      attributes.set_post_ops(after);
    }
    const memory::desc any({weights.terms, weights.outputs}, x.get_desc().data_type(), Layout::any);
    const dnnl::matmul::desc desc(x.get_desc(), any, y.get_desc());
    const dnnl::matmul::primitive_desc primitive(desc, attributes, device.engine);
    implementation = primitive.impl_info_str();
    const memory packed = x_scale != 0 ? device.copy(weights.rounded(steps_of_outputs), Kind::s8, weights.terms,
                                                     weights.outputs, primitive.weights_desc())
                                       : device.copy(weights.values, Kind::f32, weights.terms, weights.outputs,
                                                     primitive.weights_desc());
    Arguments arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, y}};
    if (factor) arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1] = factor;
    steps.push_back({dnnl::matmul(primitive), arguments});
  }
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void turn(Pass &pass, long rows, double seconds) {
  pass.compute();
  std::vector<double> times;
  double total = 0;
  while (times.size() < 3 || total < seconds) {
    const double start = now();
    pass.compute();
    times.push_back(now() - start);
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"record\":\"turn\",\"rows\":%ld,\"passes\":%zu,\"median_us\":%.3f,\"least_us\":%.3f}\n", rows,
              times.size(), 1e6 * times[times.size() / 2], 1e6 * times[0]);
  std::fflush(stdout);
}

} // namespace

int main(int count, char **words) {
  if (count != 4) {
    std::fprintf(stderr, "usage: onednn D_MODEL D_FF f32|bf16|int8\n");
    return 64;
  }
  try {
    const Layer layer(std::atol(words[1]), std::atol(words[2]));
    Device device;
    std::unique_ptr<Pass> pass = std::make_unique<Pass>(device, layer, words[3], 1);
    const dnnl_version_t *version = dnnl_version();
    std::printf("{\"record\":\"ready\",\"version\":\"%d.%d.%d\",\"implementation\":\"%s\",\"error\":%.2e}\n",
                version->major, version->minor, version->patch, pass->implementation.c_str(), pass->error(layer));
    std::fflush(stdout);
    long prepared = 1;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream fields(line);
      long rows = 0;
      double seconds = 0;
      if (!(fields >> rows >> seconds) || rows < 1) return 64;
      if (rows != prepared) {
        pass.reset(); // its weights go before others come
        pass = std::make_unique<Pass>(device, layer, words[3], rows);
        prepared = rows;
      }
      turn(*pass, rows, seconds);
    }
  } catch (const dnnl::error &error) {
    std::printf("{\"record\":\"unsupported\",\"reason\":\"%s\"}\n", error.what());
    return 0;
  }
}
