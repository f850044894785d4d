internal import Batching
internal import Synchronization

/// Who may ask, and how much: what an operator wrote down about one key.
package struct KeyRule: Sendable, Equatable {
  /// Where the key's requests are counted and logged under.
  package let name: String
  /// Of the token, which nobody but its owner has.
  package let digest: TokenDigest
  /// Requests per second in the long run; nil for no limit.
  package let rate: Double?
  /// Requests that may come at once after a pause.
  package let burst: Double
  /// Requests that may be under way at a time; nil for no limit.
  package let concurrency: Int?

  package init(name: String, digest: TokenDigest, rate: Double?, burst: Double, concurrency: Int?) {
    self.name = name
    self.digest = digest
    self.rate = rate
    self.burst = burst
    self.concurrency = concurrency
  }
}

/// The SHA-256 of a token.
package struct TokenDigest: Sendable, Equatable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// nil for anything but 32 octets.
  package init?(_ octets: [UInt8]) {
    guard octets.count == 32 else { return nil }
    func word(_ place: Int) -> UInt64 { octets[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    words = (word(0), word(8), word(16), word(24))
  }

  /// In a time that says nothing of where two digests differ.
  package static func == (one: TokenDigest, other: TokenDigest) -> Bool {
    (one.words.0 ^ other.words.0) | (one.words.1 ^ other.words.1) | (one.words.2 ^ other.words.2)
      | (one.words.3 ^ other.words.3) == 0
  }
}

/// The keys that are let in, each with what it has used.
package final class KeyRing: Sendable {
  private let digest: @Sendable ([UInt8]) -> [UInt8]
  private let keys: Mutex<[Key]>

  /// - Parameter digest: SHA-256.
  package init(_ rules: [KeyRule], digest: @escaping @Sendable ([UInt8]) -> [UInt8]) {
    self.digest = digest
    keys = Mutex(rules.map { Key($0) })
  }

  /// Lets in other keys from now on. One that stays under its name goes on from what it has used.
  package func replace(_ rules: [KeyRule]) {
    keys.withLock { keys in
      let known = Dictionary(keys.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      keys = rules.map { rule in
        guard let key = known[rule.name] else { return Key(rule) }
        key.obey(rule)
        return key
      }
    }
  }

  /// Lets a request in for the time that its permit lives.
  ///
  /// Every key is compared, whichever it is.
  ///
  /// - Parameter authorization: the value of the request's `Authorization`.
  /// - Throws: `.unauthorized`, `.rateLimited`, `.concurrencyLimited`.
  func admit(authorization: String?, now: Nanoseconds = MonotonicClock.now()) throws(APIError) -> KeyPermit {
    guard let token = Self.bearerToken(authorization), let digest = TokenDigest(digest(token)) else {
      throw .unauthorized(isPresented: authorization != nil)
    }
    var found: Key?
    for key in keys.withLock({ $0 }) where key.matches(digest) { found = key }
    guard let found else { throw .unauthorized(isPresented: true) }
    return KeyPermit(found, verdict: found.enter(now: now))
  }

  /// The keys, in the order of their file.
  var all: [Key] { keys.withLock { $0 } }

  /// `Bearer token68` (RFC 6750, section 2.1; the scheme in any case).
  private static func bearerToken(_ authorization: String?) -> [UInt8]? {
    guard let authorization else { return nil }
    let scheme = authorization.utf8.prefix(7)
    guard scheme.elementsEqual("bearer ".utf8, by: { $0 | 0x20 == $1 || $0 == $1 }) else { return nil }
    let token = Array(authorization.utf8.dropFirst(7).drop { $0 == UInt8(ascii: " ") })
    return token.isEmpty ? nil : token
  }
}

/// One key: what it may, and what it has done.
final class Key: Sendable {
  let name: String
  private let state: Mutex<State>

  private struct State {
    var rule: KeyRule
    /// Requests that may come at once now.
    var tokens: Double
    var filledAt: Nanoseconds
    var underWay = 0
    var counts = Counts()
  }

  /// Requests by what became of them at the door.
  struct Counts: Sendable, Equatable {
    var admitted = 0
    var rateLimited = 0
    var concurrencyLimited = 0
  }

  /// Whether a request may come in.
  enum Verdict: Sendable, Equatable {
    case admitted
    /// - Parameter retryAfterSeconds: until there is a token again.
    case rateLimited(retryAfterSeconds: Int)
    case concurrencyLimited(limit: Int)
  }

  init(_ rule: KeyRule, now: Nanoseconds = MonotonicClock.now()) {
    name = rule.name
    state = Mutex(State(rule: rule, tokens: rule.burst, filledAt: now))
  }

  func obey(_ rule: KeyRule) {
    state.withLock { state in
      state.rule = rule
      state.tokens = min(state.tokens, rule.burst)
    }
  }

  func matches(_ digest: TokenDigest) -> Bool { state.withLock { $0.rule.digest == digest } }

  var counts: Counts { state.withLock { $0.counts } }

  /// A token bucket: `rate` tokens a second flow in, up to `burst`, and a request takes one. A request that finds as
  /// many under way as there may be takes none.
  func enter(now: Nanoseconds) -> Verdict {
    state.withLock { state in
      if let limit = state.rule.concurrency, state.underWay >= limit { return .concurrencyLimited(limit: limit) }
      if let rate = state.rule.rate {
        let seconds = Double(now - min(state.filledAt, now)) * 1e-9
        state.tokens = min(state.rule.burst, state.tokens + seconds * rate)
        state.filledAt = max(now, state.filledAt)
        guard state.tokens >= 1 else {
          let wait = ((1 - state.tokens) / rate).rounded(.up)
          return .rateLimited(retryAfterSeconds: Int(min(max(wait, 1), 3600)))
        }
        state.tokens -= 1
      }
      state.underWay += 1
      return .admitted
    }
  }

  func leave() { state.withLock { $0.underWay -= 1 } }

  /// Counts a request whose outcome is known.
  func count(_ ending: RequestOutcome.Ending) {
    state.withLock { state in
      switch ending {
      case .problem(.rateLimited): state.counts.rateLimited += 1
      case .problem(.concurrencyLimited): state.counts.concurrencyLimited += 1
      case .answered, .problem, .clientGone: state.counts.admitted += 1
      }
    }
  }
}

/// A request's leave to be under way under a key, until the request is over: at the latest when nobody knows of it.
final class KeyPermit: Sendable {
  let key: Key
  private let verdict: Key.Verdict
  private let hasEnded = Atomic<Bool>(false)

  init(_ key: Key, verdict: Key.Verdict) {
    self.key = key
    self.verdict = verdict
  }

  deinit { end() }

  func end() {
    guard verdict == .admitted, !hasEnded.exchange(true, ordering: .relaxed) else { return }
    key.leave()
  }

  /// - Throws: `.rateLimited`, `.concurrencyLimited`.
  func check() throws(APIError) {
    switch verdict {
    case .admitted: break
    case .rateLimited(let seconds): throw .rateLimited(retryAfterSeconds: seconds)
    case .concurrencyLimited(let limit): throw .concurrencyLimited(limit: limit)
    }
  }
}
