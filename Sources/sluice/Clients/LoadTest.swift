import ArgumentParser
import Glibc
import TensorCoding

/// `sluice load-test`: what clients would feel at a given rate of requests.
struct LoadTest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load-test",
    abstract: "Send requests, at a rate that does not wait for the answers or as fast as they come, and time them.",
    discussion: """
      Requests are due at times of their own, and a latency is counted from the time at which its request was due: a \
      server that falls behind shows it, where clients that wait for their answers would merely ask less often. One \
      line of JSON says what came of it: offered (the rate asked for) and due (what chance made of it), rate (answers \
      with 200 a second), percentiles of their latencies, errors with statuses (refused: no connection; broken: it \
      ended before its answer; unanswered: ten seconds after the last was due) and unsent (due while all connections \
      were busy).

      Without --rate the loop is closed: every connection asks again as soon as it is answered, which finds out what a \
      server can give at most. Latencies count from when a request was sent then, and nothing is due, late or unsent.

      Not every tail is the server's. late_ms is the 99th percentile of this program's own lateness, late_max_ms the \
      worst: beyond a millisecond, it is the bottleneck. hiccup_p99_ms, hiccup_p999_ms and hiccup_max_ms are how late a \
      thread of each of this machine's processors was that asked to run every millisecond and for nothing else, \
      stolen_ms is what the hypervisor kept from them all: latencies cannot be told from these where they are no \
      longer. A server on this machine is among what keeps threads waiting; --rate 1 shows the machine without it. \
      Requests are sent by one thread, HTTP/1.1 in clear; answers need a Content-Length.
      """)

  @Option(help: "Where to, such as http://127.0.0.1:8080/v1/ffn.")
  var url: LoadTarget

  @Option(help: .path("Unix socket to connect to, in place of the URL's host and port."))
  var unixSocket: String?

  @Option(help: .path("File with the content to POST."))
  var body: String

  @Option(help: ArgumentHelp("Field of the request; can be given several times.", valueName: "name: value"))
  var header: [String] = []

  @Option(help: ArgumentHelp("Requests a second; without it, as many as are answered.", valueName: "n"))
  var rate: Double?

  @Option(help: .time("How long requests are due."))
  var time = TimeSpan.seconds(10)

  @Option(
    help: .number("Connections at most; what is due while all are busy is not sent. Without --rate, so many at once."))
  var connections = Count(256)

  @Flag(name: .customLong("no-keep-alive"), help: "A connection for each request.")
  var closesConnections = false

  @Option(help: "How far requests are apart: poisson (by chance, as from many clients) or even.")
  var arrivals = Arrivals.poisson

  func validate() throws {
    if let rate, !(rate > 0 && rate <= 1e6) { throw ValidationError("--rate: more than 0 and at most 1000000") }
    for field in header {
      guard let colon = field.firstIndex(of: ":"), colon > field.startIndex, !field.utf8.contains(where: { $0 < 0x20 })
      else { throw ValidationError("--header: '\(field)' is not of the form 'name: value'") }
    }
  }

  func run() throws {
    let content: [UInt8]
    do { content = try SmallFile.octets(of: body) } catch { throw StartError.unreadable("--body \(body): \(error)") }
    do throws(ClientError) {
      let generator = try LoadGenerator(
        message: message(content: content), address: try reachableAddress(), most: connections.value,
        keepsAlive: !closesConnections, nanoseconds: time.nanoseconds,
        schedule: rate.map { Schedule(rate: $0, arrivals: arrivals) })
      let stolen = SystemTime.secondsStolen
      let meter = try HiccupMeter()
      var report = generator.run()
      report.hiccups = meter.end()
      if let stolen, let after = SystemTime.secondsStolen { report.secondsStolen = after - stolen }
      print(report.line)
    } catch {
      throw StartError.unreachable("\(url): \(error)")
    }
  }

  /// The first of the addresses that lets somebody connect.
  private func reachableAddress() throws(ClientError) -> ServerAddress {
    let addresses =
      if let unixSocket { [try ServerAddress(unixSocket: unixSocket)] } else {
        try ServerAddress.addresses(host: url.host, port: url.port)
      }
    var failure = ClientError.unresolvable(host: url.host)
    for address in addresses {
      do throws(ClientError) {
        let socket = try ClientSocket(connectingTo: address)
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, Self.patience)
        if let error = socket.connectingFailure() { throw error }
        if entry.revents != 0 { return address }
        failure = .system(operation: "connect", code: ETIMEDOUT)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  /// Milliseconds to wait for the first connection.
  private static let patience: Int32 = 5000

  private func message(content: [UInt8]) -> [UInt8] {
    var lines = ["POST \(url.path) HTTP/1.1", "Host: \(url.authority)", "Content-Length: \(content.count)"] + header
    if closesConnections { lines.append("Connection: close") }
    return Array((lines + ["", ""]).joined(separator: "\r\n").utf8) + content
  }
}

/// `http://host[:port][/path]`
struct LoadTarget: ExpressibleByArgument, CustomStringConvertible {
  let host: String
  let port: UInt16
  /// `host[:port]`, as Host has it.
  let authority: String
  let path: String

  init?(argument: String) {
    let scheme = "http://"
    guard argument.hasPrefix(scheme), !argument.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f }) else { return nil }
    let rest = argument.dropFirst(scheme.count)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<end]
    var name = authority
    var port: UInt16? = 80
    if let colon = authority.lastIndex(of: ":"), authority.last != "]" {
      name = authority[..<colon]
      port = UInt16(authority[authority.index(after: colon)...])
    }
    if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
    guard let port, !name.isEmpty else { return nil }
    (host, self.port, self.authority) = (String(name), port, String(authority))
    path = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
  }

  var description: String { "http://\(authority)\(path)" }
}

/// How far requests are apart.
enum Arrivals: String, CaseIterable, ExpressibleByArgument {
  case even
  case poisson
}

/// When requests are due: `rate` a second, by a seed that never changes.
struct Schedule {
  let rate: Double
  let arrivals: Arrivals
  private var random = SplitMix(seed: 1)

  init(rate: Double, arrivals: Arrivals) { (self.rate, self.arrivals) = (rate, arrivals) }

  /// Nanoseconds from one request to the next, on average.
  var meanGap: Double { 1e9 / rate }

  /// Nanoseconds from one request to the next: 1/rate, or exponentially distributed with that mean.
  mutating func gap() -> Double {
    arrivals == .even ? meanGap : -log(1 - Double.random(in: 0..<1, using: &random)) * meanGap
  }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
