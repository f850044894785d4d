internal import CSystem
internal import Glibc
internal import HTTP1

/// One shard's connections and the turns in which they are served.
///
/// It belongs to whoever drives it, a serial queue (`Shard`) or a thread of its own, and is touched by nobody else:
/// that it isn't Sendable lets the compiler see to it. All that it waits for, sockets, timer and mailbox, is behind
/// `descriptor`; when that is readable, `turn` is to be called until it returns false.
final class ShardLoop {
  let configuration: ServerConfiguration
  let handler: RequestHandler
  let mailbox: Mailbox
  /// What is read goes through here, and only leftovers stay with their connection.
  private(set) var scratch: [UInt8] = []
  /// What TLS made of it.
  var plaintext: [UInt8] = []
  var pool = BufferPool()
  let replyCoding: ReplyCoding?
  /// The value of Date, made once a second.
  private(set) var date: [UInt8] = []
  let timeouts: ConnectionDeadlines.Timeouts
  private(set) var isDraining = false
  /// Whether the shard has drained: no connection is left and none will come.
  private(set) var isFinished = false

  /// What new connections are secured with; those over Unix sockets aren't.
  private var tls: TLSContext?
  private var pollSet: PollSet
  let bodies: BodyLedger
  private let ledger: ConnectionLedger
  private var acceptor: Acceptor?
  private let shards: [Mailbox]

  private var connections: [Connection?]
  private var generations: [UInt32]
  private var freeSlots: [UInt32] = []
  private var openCount = 0
  private var deadlines = DeadlineTable()
  private var dateSecond = Int.min
  private var messages: [Mailbox.Message] = []
  /// Whether the handler was given requests since it last settled.
  private var hasHandled = false
  /// Connections with more to read than one turn gives them.
  private var unfinished: [ConnectionID] = []
  /// Connections that have got an answer, or room for one, in this turn.
  private var touched: [Connection] = []

  private static let scratchBytes = 64 << 10
  /// Slots of the deadline table that aren't connections.
  private static let acceptingSlot = 0
  private static let drainSlot = 1
  private static let acceptingPause: UInt64 = 100_000_000

  /// - Parameters:
  ///   - listeners: none but for the shard that accepts, which is the first of `shards`.
  ///   - shards: the mailboxes of all shards.
  init(
    configuration: ServerConfiguration, handler: RequestHandler, ledger: ConnectionLedger,
    bodies: BodyLedger, listeners: [Listener], shards: [Mailbox], mailbox: Mailbox
  ) throws(Errno) {
    self.configuration = configuration
    self.handler = handler
    self.ledger = ledger
    self.bodies = bodies
    self.mailbox = mailbox
    replyCoding = configuration.gzipRepliesFromBytes.map { ReplyCoding(bytesMinimum: $0) }
    tls = configuration.tls
    timeouts = ConnectionDeadlines.Timeouts(configuration.timeouts)
    self.shards = shards
    connections = [nil, nil]
    generations = [0, 0]
    pollSet = try PollSet(wakeup: mailbox.wakeup)
    if !listeners.isEmpty {
      let refusal = configuration.tls == nil ? handler.failure : nil
      let acceptor = Acceptor(listeners: listeners, ledger: ledger, shards: shards, refusal: refusal)
      try acceptor.begin(in: pollSet)
      self.acceptor = acceptor
    }
  }

  var descriptor: Int32 { pollSet.descriptor.number }

  /// Serves what is ready, after waiting for it up to `milliseconds`.
  ///
  /// - Returns: false where nothing was: the shard sleeps until its descriptor is readable.
  func turn(waitingMilliseconds milliseconds: Int32) -> Bool {
    let mayWait = unfinished.isEmpty && mailbox.sleep()
    let count = pollSet.wait(milliseconds: mayWait ? milliseconds : 0)
    guard count > 0 || !mayWait else { return false }
    if mayWait { mailbox.wake() }
    for index in 0..<count { serve(pollSet.event(index)) }
    resumeUnfinished()
    settle()
    deliverMessages()
    updateDate()
    flushTouched()
    if let alarm = deadlines.alarmToSet(now: monotonicNanoseconds()) { pollSet.setTimer(alarm) }
    return true
  }

  /// The shard goes to sleep: where much has gone through the server since it last did, the memory of that goes back.
  func rest() {
    if configuration.traffic.hasMoved(configuration.rest.bytes) { configuration.rest.action() }
  }

  /// Receives into `scratch` what a connection has to read.
  func receive(from wire: Wire) -> Transfer {
    scratch.removeAll(keepingCapacity: true)
    var transfer = Transfer.wouldBlock
    scratch.append(addingCapacity: Self.scratchBytes) { transfer = wire.receive(into: &$0, atMost: Self.scratchBytes) }
    return transfer
  }

  /// Hands a complete request to the handler.
  func handle(_ request: Request, _ exchange: Exchange) {
    hasHandled = true
    handler.handle(request, exchange)
  }

  private func settle() {
    guard hasHandled else { return }
    hasHandled = false
    handler.settle()
  }

  /// Gives the connection another look after all others had theirs.
  func revisit(_ connection: Connection) {
    guard !connection.isUnfinished else { return }
    connection.isUnfinished = true
    unfinished.append(connection.id)
  }

  /// Has the connection flushed at the end of the turn, when all answers of the turn are in.
  func touch(_ connection: Connection) {
    guard !connection.isTouched else { return }
    connection.isTouched = true
    touched.append(connection)
  }

  func setDeadline(_ time: UInt64?, of id: ConnectionID) { deadlines.set(time, slot: Int(id.slot)) }

  /// Forgets a connection, which closes its descriptor when the last reference goes.
  func remove(_ connection: Connection) {
    let slot = Int(connection.id.slot)
    guard connections[slot] === connection else { return }
    connections[slot] = nil
    generations[slot] &+= 1
    freeSlots.append(connection.id.slot)
    deadlines.set(nil, slot: slot)
    openCount -= 1
    configuration.traffic.closed()
    if ledger.remove(connection.info.peer) { shards[0].post(.roomToAccept) }
    // It may be a descriptor that was wanting.
    resumeAccepting()
    finishIfDrained()
  }

  private func connection(_ id: ConnectionID) -> Connection? {
    let slot = Int(id.slot)
    guard slot < connections.count, generations[slot] == id.generation else { return nil }
    return connections[slot]
  }

  private func serve(_ event: (source: PollSet.Source, readiness: PollSet.Readiness)) {
    switch event.source {
    case .connection(let id): connection(id)?.becameReady(event.readiness)
    case .listener(let index): accept(at: index)
    case .wakeup: break
    case .timer: sweep()
    }
  }

  private func resumeUnfinished() {
    guard !unfinished.isEmpty else { return }
    let ids = unfinished
    unfinished.removeAll(keepingCapacity: true)
    for id in ids {
      guard let connection = connection(id) else { continue }
      connection.isUnfinished = false
      connection.read()
      touch(connection)
    }
  }

  private func deliverMessages() {
    mailbox.take(into: &messages)
    for message in messages {
      switch message {
      case .answer(let place, let answer): connection(place.connection)?.take(answer, forRequest: place.request)
      case .adopt(let socket, let peer): adopt(socket, peer)
      case .roomToAccept: resumeAccepting()
      case .secure(let context): tls = context
      case .stop(let deadline): stopAccepting(deadline)
      case .drain(let deadline): drain(by: deadline)
      }
    }
    messages.removeAll(keepingCapacity: true)
  }

  private func updateDate() {
    let second = time(nil)
    guard second != dateSecond else { return }
    dateSecond = second
    date = HTTPDate.octets(secondsSinceEpoch: second)
  }

  private func flushTouched() {
    // By index: ending one may touch another.
    var index = 0
    while index < touched.count {
      touched[index].isTouched = false
      touched[index].flush()
      index += 1
    }
    touched.removeAll(keepingCapacity: true)
  }

  private func sweep() {
    let now = monotonicNanoseconds()
    for slot in deadlines.sweep(now: now) {
      switch slot {
      case Self.acceptingSlot: resumeAccepting()
      case Self.drainSlot: for connection in connections { connection?.abort() }
      default: connections[slot]?.deadlinePassed(now: now)
      }
    }
  }
}

// MARK: - Coming and going

extension ShardLoop {
  private func accept(at index: Int) {
    guard let acceptor, !acceptor.accept(at: index) else { return }
    acceptor.pause(in: pollSet)
    deadlines.set(monotonicNanoseconds() + Self.acceptingPause, slot: Self.acceptingSlot)
  }

  private func resumeAccepting() { acceptor?.resume(in: pollSet) }

  private func adopt(_ socket: Int32, _ peer: SocketAddress) {
    let slot = freeSlots.popLast() ?? newSlot()
    let id = ConnectionID(slot: slot, generation: generations[Int(slot)])
    let wire = Wire(Descriptor(owning: socket), peer.isUnix ? nil : tls, configuration.traffic)
    let connection = Connection(id: id, wire: wire, info: ConnectionInfo(peer: peer, tls: nil), loop: self)
    connections[Int(slot)] = connection
    openCount += 1
    configuration.traffic.opened()
    do throws(Errno) {
      try pollSet.add(socket, id)
      connection.begin()
    } catch {
      connection.abort()
    }
  }

  private func newSlot() -> UInt32 {
    connections.append(nil)
    generations.append(0)
    return UInt32(connections.count - 1)
  }

  private func stopAccepting(_ deadline: UInt64) {
    guard let acceptor else { return }
    acceptor.acceptLast()
    self.acceptor = nil
    // Behind the last connection dealt out: a mailbox keeps its order.
    for shard in shards { shard.post(.drain(deadline: deadline)) }
  }

  private func drain(by deadline: UInt64) {
    isDraining = true
    deadlines.set(deadline, slot: Self.drainSlot)
    for connection in connections { connection?.drain() }
    finishIfDrained()
  }

  private func finishIfDrained() {
    if isDraining, openCount == 0 { isFinished = true }
  }
}
