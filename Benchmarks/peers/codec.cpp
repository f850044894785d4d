// The peers of TensorCoding on the same bytes: simdjson and std::from_chars in, std::to_chars out.
// Prints "name<TAB>nanoseconds a number" of processor time, the median of the repetitions. Run by codec.sh.
//
//   g++ -O3 -march=native -std=c++17 codec.cpp -lsimdjson -o codec && ./codec DIRECTORY [REPETITIONS]

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace {

int repetitions = 31;

double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

template <typename Body>
void measure(const std::string &name, size_t numbers, Body body) {
  std::vector<double> times;
  volatile size_t sink = 0;
  for (int i = 0; i < repetitions; i++) {
    double start = now();
    sink = sink + body();
    times.push_back((now() - start) / double(numbers));
  }
  std::sort(times.begin(), times.end());
  std::printf("%s\t%.3g\n", name.c_str(), times[times.size() / 2]);
}

// Rows of numbers into fresh memory, as a server would for each request; the parser is kept.
size_t scan_ondemand(simdjson::ondemand::parser &parser, const simdjson::padded_string &text, size_t expected) {
  std::vector<float> floats;
  floats.reserve(expected);
  auto document = parser.iterate(text);
  for (auto row : document.get_array())
    for (double number : row.get_array()) floats.push_back(float(number));
  return floats.size();
}

size_t scan_dom(simdjson::dom::parser &parser, const simdjson::padded_string &text, size_t expected) {
  std::vector<float> floats;
  floats.reserve(expected);
  for (auto row : parser.parse(text).get_array())
    for (double number : row.get_array()) floats.push_back(float(number));
  return floats.size();
}

size_t scan_from_chars(const simdjson::padded_string &text, size_t expected) {
  std::vector<float> floats;
  floats.reserve(expected);
  const char *end = text.data() + text.size();
  for (const char *p = text.data(); p < end;) {
    if (*p == '[' || *p == ']' || *p == ',' || *p == ' ') {
      p++;
      continue;
    }
    float number;
    auto result = std::from_chars(p, end, number);
    if (result.ec != std::errc()) std::abort();
    floats.push_back(number);
    p = result.ptr;
  }
  return floats.size();
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: codec DIRECTORY [REPETITIONS]\n");
    return 2;
  }
  if (argc > 2) repetitions = std::atoi(argv[2]);
  std::vector<float> floats;
  for (std::string name : {"9 digits", "17 digits", "shortest"}) {
    simdjson::padded_string text = simdjson::padded_string::load(std::string(argv[1]) + "/" + name + ".json");
    simdjson::ondemand::parser ondemand;
    simdjson::dom::parser dom;
    floats.clear();
    for (auto row : dom.parse(text).get_array())
      for (double number : row.get_array()) floats.push_back(float(number));
    size_t n = floats.size();
    measure("simdjson ondemand " + name, n, [&] { return scan_ondemand(ondemand, text, n); });
    measure("simdjson dom " + name, n, [&] { return scan_dom(dom, text, n); });
    measure("from_chars " + name, n, [&] { return scan_from_chars(text, n); });
  }
  std::vector<char> reply(floats.size() * 20);
  measure("to_chars", floats.size(), [&] {
    char *p = reply.data();
    for (float number : floats) {
      p = std::to_chars(p, p + 20, number).ptr;
      *p++ = ',';
    }
    return size_t(p - reply.data());
  });
}
