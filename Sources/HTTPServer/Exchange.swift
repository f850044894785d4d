package import HTTP1
internal import Synchronization

/// One request's answer, given once, from any thread.
///
/// Answers of one connection leave in the order of its requests, whatever order they are given in. Letting go of an
/// exchange without an answer is answered with `ServerFailure.unanswered`, so that no connection waits for ever.
package final class Exchange: Sendable {
  private enum State {
    case open(onCancel: [@Sendable (Cancellation) -> Void])
    case answered
    case cancelled(Cancellation)
  }

  private let state = Mutex(State.open(onCancel: []))
  private let mailbox: Mailbox
  private let place: Place
  private let coding: ReplyCoding?
  /// The request's, which say in what coding the reply may come.
  private let fields: Fields

  /// Whose answer it is.
  struct Place: Sendable {
    let connection: ConnectionID
    let request: ExchangeID
  }

  /// - Parameter coding: nil where replies go out as they are.
  init(place: Place, mailbox: Mailbox, coding: ReplyCoding?, fields: Fields) {
    self.place = place
    self.mailbox = mailbox
    self.coding = coding
    self.fields = fields
  }

  deinit { if close() { mailbox.post(.answer(place, .missing)) } }

  /// Answers. Nothing happens where the request is answered already or the client has gone.
  package func respond(_ response: Response) {
    guard close() else { return }
    if let response = coded(response) { mailbox.post(.answer(place, .ready(response))) }
  }

  /// Answers with what `make` returns, called on the connection's I/O queue, where it must not take long.
  package func respond(onQueue make: @escaping @Sendable () -> Response) {
    guard close() else { return }
    mailbox.post(.answer(place, .deferred { self.coded(make()) }))
  }

  /// The response in the coding that the client asks for; nil where it comes later, by another message.
  private func coded(_ response: Response) -> Response? {
    guard let coding, coding.isWorthwhile(response) else { return response }
    return coding.code(response, for: fields) { [mailbox, place] in mailbox.post(.answer(place, .ready($0))) }
  }

  /// Whether the client has gone, or been given up, before its answer.
  package var isCancelled: Bool {
    state.withLock { state in
      if case .cancelled = state { true } else { false }
    }
  }

  /// Whether it is neither answered nor cancelled.
  var isOpen: Bool {
    state.withLock { state in
      if case .open = state { true } else { false }
    }
  }

  /// Calls `body` when nobody waits for the answer any more; at once if it is so already.
  ///
  /// The call comes on the connection's I/O queue and must not block.
  package func onCancel(_ body: @escaping @Sendable (Cancellation) -> Void) {
    let past = state.withLock { state -> Cancellation? in
      switch state {
      case .open(let bodies):
        state = .open(onCancel: bodies + [body])
        return nil
      case .answered: return nil
      case .cancelled(let cancellation): return cancellation
      }
    }
    if let past { body(past) }
  }

  /// Tells whoever computes the answer that nobody waits for it.
  func cancel(_ cancellation: Cancellation) {
    let bodies = state.withLock { state -> [@Sendable (Cancellation) -> Void] in
      guard case .open(let bodies) = state else { return [] }
      state = .cancelled(cancellation)
      return bodies
    }
    for body in bodies { body(cancellation) }
  }

  /// - Returns: whether it was open: to be answered by whoever closes it.
  private func close() -> Bool {
    state.withLock { state in
      guard case .open = state else { return false }
      state = .answered
      return true
    }
  }
}

/// Why nobody waits for an answer any more.
package enum Cancellation: Sendable {
  /// The client has gone, or has been given up with its connection.
  case clientGone
  /// The answer took too long, and the server gives another: `ServerFailure.answerTimeout`.
  case answerTimeout
}

/// What a handler gave for a request.
enum Answer: Sendable {
  case ready(Response)
  /// Made on the I/O queue; nil where it comes as another answer.
  case deferred(@Sendable () -> Response?)
  case missing
}
