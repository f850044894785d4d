import Foundation
import HTTPServer
import Synchronization

/// A port of the loopback interface where sessions under test answer one request each, one connection after another:
/// as little of a server as programs need for a conversation.
final class TLSLoopback: Sendable {
  struct Outcome {
    var request = ""
    var peer: TLSPeer?
    var failure: TLSSessionError?
    var clientClosed = false
  }

  let port: UInt16
  private let outcomes = Mutex<[Outcome]>([])
  private let done = DispatchSemaphore(value: 0)

  /// - Parameter connections: how many are accepted before the port is closed.
  init(_ context: TLSContext, connections: Int, response: [UInt8]) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // So that a client that never comes makes a failure and not a test without end.
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    guard isBound else { throw POSIXError(.EADDRINUSE) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      for _ in 0..<connections {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { break }
        let outcome = Self.serve(descriptor, context, response)
        outcomes.withLock { $0.append(outcome) }
        close(descriptor)
      }
      close(listener)
      done.signal()
    }
  }

  /// How each connection went, when all have ended.
  func finish() -> [Outcome] {
    done.wait()
    return outcomes.withLock { $0 }
  }

  private static func serve(_ descriptor: Int32, _ context: TLSContext, _ response: [UInt8]) -> Outcome {
    var outcome = Outcome()
    var session = TLSSession(context)
    var buffer = [UInt8](repeating: 0, count: 20_000)
    var input: [UInt8] = []
    var hasAnswered = false
    do {
      while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
        var outbound: [UInt8] = []
        defer { write(outbound, to: descriptor) }
        try session.receive(buffer.span.bytes.extracting(0..<count), plaintext: &input, outbound: &outbound)
        if let peer = session.peer { outcome.peer = peer }
        if input.suffix(4).elementsEqual("\r\n\r\n".utf8), !hasAnswered {
          hasAnswered = true
          try session.send(response.span.bytes, outbound: &outbound)
          session.close(outbound: &outbound)
        }
      }
    } catch {
      outcome.failure = error
      shutdown(descriptor, Int32(SHUT_WR))
      while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
    }
    outcome.request = String(decoding: input, as: UTF8.self)
    outcome.clientClosed = session.hasReceivedCloseNotify
    return outcome
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
