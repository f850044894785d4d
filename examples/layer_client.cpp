// A layer called over one keep-alive connection, TCP or a Unix socket, with plain sockets and nothing else.
//
//   c++ -O2 -std=c++17 -o layer_client examples/layer_client.cpp
//   ./layer_client HOST:PORT|/path/of/socket MODEL WIDTH [CALLS [FP32|BF16]]
//
// Sends a row of WIDTH numbers CALLS times by the Open Inference Protocol, binary both ways, and prints the round trip's
// median and 99th percentile, and how long the server says it took of it.

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int connectTo(const std::string &address) {
  if (address[0] == '/') {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    if (address.size() >= sizeof path.sun_path) throw std::runtime_error("the socket's path is too long");
    std::memcpy(path.sun_path, address.c_str(), address.size() + 1);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(descriptor, reinterpret_cast<sockaddr *>(&path), sizeof path) == 0) return descriptor;
    throw std::runtime_error("cannot connect to " + address);
  }
  const size_t colon = address.rfind(':');
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (colon == std::string::npos ||
      getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0)
    throw std::runtime_error("no such address: " + address);
  for (addrinfo *one = found; one; one = one->ai_next) {
    int descriptor = socket(one->ai_family, SOCK_STREAM, 0);
    if (descriptor >= 0 && connect(descriptor, one->ai_addr, one->ai_addrlen) == 0) {
      int on = 1; // One write a request: nothing to wait for.
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      freeaddrinfo(found);
      return descriptor;
    }
    if (descriptor >= 0) close(descriptor);
  }
  freeaddrinfo(found);
  throw std::runtime_error("cannot connect to " + address);
}

// What a layer answers, in the datatype that was asked for.
struct Answer {
  std::vector<char> output;
  double serverMicroseconds = 0;
};

// One layer at the other end of a connection.
class Layer {
public:
  Layer(const std::string &address, const std::string &model, size_t width, const std::string &datatype)
      : descriptor(connectTo(address)), bytes(width * (datatype == "BF16" ? 2 : 4)) {
    const std::string json = R"({"inputs":[{"name":"input","shape":[1,)" + std::to_string(width) + R"(],"datatype":")" +
                             datatype + R"(","parameters":{"binary_data_size":)" + std::to_string(bytes) +
                             R"(}}],"outputs":[{"name":"output","parameters":{"binary_data":true,"datatype":")" +
                             datatype + R"("}}]})";
    head = "POST /v2/models/" + model + "/infer HTTP/1.1\r\nHost: sluice\r\nInference-Header-Content-Length: " +
           std::to_string(json.size()) + "\r\nContent-Length: " + std::to_string(json.size() + bytes) + "\r\n\r\n" + json;
  }
  ~Layer() { close(descriptor); }
  Layer(const Layer &) = delete;
  Layer &operator=(const Layer &) = delete;

  // `row`: its elements, little-endian. The head is the same every time; only the row follows it.
  Answer apply(const std::vector<char> &row) {
    if (row.size() != bytes) throw std::runtime_error("the row has another width");
    std::string request = head;
    request.append(row.data(), row.size());
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t count = send(descriptor, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error("the connection broke");
      sent += static_cast<size_t>(count);
    }
    size_t end;
    while ((end = received.find("\r\n\r\n")) == std::string::npos) receive();
    const std::string fields = received.substr(0, end + 2);
    const size_t length = std::stoul(field(fields, "Content-Length"));
    while (received.size() < end + 4 + length) receive();
    const std::string body = received.substr(end + 4, length);
    received.erase(0, end + 4 + length);
    if (fields.compare(0, 12, "HTTP/1.1 200") != 0) throw std::runtime_error(body);
    const size_t json = std::stoul(field(fields, "Inference-Header-Content-Length"));
    Answer answer;
    answer.output.assign(body.begin() + static_cast<std::ptrdiff_t>(json), body.end());
    const std::string timing = field(fields, "Server-Timing");
    answer.serverMicroseconds = 1000 * std::stod(timing.substr(timing.find("total;dur=") + 10));
    return answer;
  }

private:
  int descriptor;
  size_t bytes;
  std::string head, received;

  void receive() {
    char chunk[1 << 16];
    const ssize_t count = recv(descriptor, chunk, sizeof chunk, 0);
    if (count <= 0) throw std::runtime_error("the connection broke");
    received.append(chunk, static_cast<size_t>(count));
  }

  static std::string field(const std::string &fields, const std::string &name) {
    const size_t start = fields.find("\r\n" + name + ": ");
    if (start == std::string::npos) throw std::runtime_error("the answer has no " + name);
    const size_t value = start + name.size() + 4;
    return fields.substr(value, fields.find("\r\n", value) - value);
  }
};

std::vector<char> makeRow(size_t width, bool isBF16) {
  std::vector<char> row;
  for (size_t index = 0; index < width; index++) {
    // Exact in BF16: a quarter more for each, modulo four.
    const float value = static_cast<float>(index % 16) / 4 - 2;
    char element[4];
    std::memcpy(element, &value, 4);
    row.insert(row.end(), element + (isBF16 ? 2 : 0), element + 4);
  }
  return row;
}

} // namespace

int main(int count, char **arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: %s HOST:PORT|/path/of/socket MODEL WIDTH [CALLS [FP32|BF16]]\n", arguments[0]);
    return 2;
  }
  try {
    const size_t width = std::stoul(arguments[3]), calls = count > 4 ? std::stoul(arguments[4]) : 1;
    const std::string datatype = count > 5 ? arguments[5] : "FP32";
    const std::vector<char> row = makeRow(width, datatype == "BF16");
    Layer layer(arguments[1], arguments[2], width, datatype);
    const std::vector<char> first = layer.apply(row).output;
    std::vector<double> trips;
    double server = 0;
    for (size_t call = 0; call < calls; call++) {
      const auto started = std::chrono::steady_clock::now();
      const Answer answer = layer.apply(row);
      trips.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - started).count());
      server += answer.serverMicroseconds;
      if (answer.output != first) throw std::runtime_error("the same row has other bits");
    }
    std::sort(trips.begin(), trips.end());
    std::printf("%zu calls of %zu bytes: median %.0f µs, p99 %.0f µs, of which the server %.0f µs; %zu bytes back\n", calls,
                row.size(), trips[trips.size() / 2], trips[trips.size() * 99 / 100], server / static_cast<double>(calls),
                first.size());
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
