internal import Batching
internal import FeedForward
internal import Synchronization
internal import TensorCoding

/// A forward pass that a request asks for, with the backward pass after it where it asks for gradients: everything
/// about it has been checked.
struct ForwardRequest: Sendable {
  enum Subject: Sendable {
    case packed(Block)
    case given(GivenLayer)
    case givenConvolution(GivenConvolution)
  }

  let subject: Subject
  /// `[…, dIn]`; of a convolution `[length, channels]` or `[batch, length, channels]`
  let input: Tensor
  /// Only with a packed mixture.
  let experts: GivenExperts?
  /// What becomes of rows that need an expert that a mixture lacks.
  var missing = MissingExperts.refuse
  let activations: ActivationSet
  /// A reading of the monotonic clock; from then on the pass is not begun.
  let deadline: Nanoseconds?
  var priority = Priority.default
  /// Not with a convolution.
  var gradient: GradientQuestion? = nil

  var rows: Int { input.shape.leading }

  /// The mixture some of whose experts are not here.
  var partialMixture: MixtureLayer? {
    if case .packed(.mixture(let mixture)) = subject, !mixture.isWhole { mixture } else { nil }
  }

  /// Whether a router chooses from experts of which some are not here.
  var isRoutedInPart: Bool { experts == nil && partialMixture != nil }
}

/// What a forward pass gave.
struct ForwardResult: Sendable {
  /// `[…, dOut]`, with the leading dimensions of the input.
  let output: Tensor
  /// For those that were asked for, in the order of ``Activation``.
  let activations: [(name: Activation, tensor: Tensor)]
  let gradient: GradientResult?
  /// Rows whose sums went without some of their experts.
  let missing: [RowWithoutExperts]
  /// Time in the line.
  let queue: Nanoseconds
  let compute: Nanoseconds
  let batchRows: Int
  let batchRequests: Int
  /// Whether it is the one of its batch by which the pass is counted.
  let standsForBatch: Bool
}

extension RequestTiming {
  /// Adds the phases of a forward pass.
  mutating func add(_ result: ForwardResult) {
    queue += result.queue
    compute = result.compute
    batchRows = result.batchRows
    batchRequests = result.batchRequests
    standsForBatch = result.standsForBatch
  }
}

/// When a job of a worker's has its turn.
struct JobTurn: Sendable {
  /// Time that it waited.
  let waited: Nanoseconds
  /// Who helps.
  let crew: Crew?
}

/// The worker pool with what each worker computes in.
///
/// Requests for one packed layer or mixture are joined; a layer that came with its request is packed and computed by
/// itself. The bits of a row do not depend on what it was joined with: that is the engine's promise, and rows are only
/// copied here.
final class Inference: Sendable {
  /// A request in the line, with the memory that its result goes into. A class, because a line moves its payloads
  /// about.
  final class Entry: Sendable {
    let request: ForwardRequest
    let output: FloatStorage
    /// Those that the request asked for, and what says which experts its rows need.
    let kept: ActivationSet
    let activations: ActivationStorage
    let gradient: GradientStorage?
    let completion: @Sendable (Result<ForwardResult, APIError>) -> Void

    init(
      _ request: ForwardRequest, widths: ActivationWidths, dOut: Int,
      completion: @escaping @Sendable (Result<ForwardResult, APIError>) -> Void
    ) {
      self.request = request
      output = FloatStorage(capacity: request.rows * dOut)
      kept = request.isRoutedInPart ? request.activations.union(ActivationSet(.expertIndices)) : request.activations
      activations = ActivationStorage(kept, rows: request.rows, widths: widths)
      gradient = request.gradient.map { GradientStorage(of: request, $0) }
      self.completion = completion
    }
  }

  private let pool: WorkerPool
  private let team: Team?
  /// Helps a worker with the body or the reply of a job that is all there is to do.
  private let crew: Crew?
  /// The same for an I/O queue.
  private let crewOfQueues: Crew?
  /// Bytes of the bodies and replies whose jobs wait or run.
  private let jobBytes = Atomic<Int>(0)
  private let jobBytesLimit: Int
  private let brief: BriefPass

  init(_ configuration: APIConfiguration) {
    let (kernels, team) = (configuration.kernels, configuration.team)
    self.team = team
    crew = team.map { team in Crew { count, body in team.eachBesides(count, body) } }
    crewOfQueues = team.map { team in Crew { count, body in team.each(count, body) } }
    let seats = WorkerPool.seats(workers: configuration.workers)
    let desks = (0..<seats).map { _ in WorkerDesk(kernels: kernels, team: team, slices: configuration.slices) }
    jobBytesLimit = configuration.jobBytesLimit
    brief = configuration.brief
    pool = WorkerPool(
      workers: configuration.workers, limits: configuration.batching,
      execute: { batch, seat, pause in desks[seat].compute(batch, pause: pause) },
      expire: { $0.inference.completion(.failure(.deadlineExceeded)) })
  }

  var load: PoolLoad { pool.load }

  /// Whether one client is there, which waits for each answer before it asks again.
  var isAlone: Bool { pool.isAlone }

  /// Who helps an I/O queue with so long a text; nil where it is too short for help, or others are at work.
  func helpAtRest(bytes: Int) -> Crew? {
    guard bytes >= Crew.leastBytes, pool.isAtRest else { return nil }
    return crewOfQueues
  }

  /// Ends a turn of an I/O queue.
  func settle() { pool.settle() }

  func drain(_ completion: @escaping @Sendable () -> Void) { pool.drain(completion) }

  /// Whether a request with so long a body is worth reading.
  ///
  /// - Throws: `.admission` where the line of rows is full, or that of jobs while a body would still join it, or the
  ///   pool is being drained.
  func admit(bodyBytes: Int) throws(APIError) {
    do { try pool.admissible(rows: 1) } catch { throw .admission(error) }
    let waiting = jobBytes.load(ordering: .relaxed)
    // At a gigabyte a second the limit is worked off sooner than `Retry-After` can say.
    if waiting > 0, bodyBytes > jobBytesLimit - waiting { throw .admission(.queueFull(retryAfterSeconds: 1)) }
  }

  /// Decodes a large body or prints a large reply on a worker, in its turn.
  ///
  /// - Parameters:
  ///   - bytes: of the body or, about, of the reply.
  ///   - caller: who gives it.
  ///   - job: gets what its turn is like.
  func run(bytes: Int, from caller: Caller = .anybody, _ job: @escaping @Sendable (JobTurn) -> Void) {
    jobBytes.wrappingAdd(bytes, ordering: .relaxed)
    let handedOver = MonotonicClock.now()
    pool.run(from: caller) { [self] in
      defer { jobBytes.wrappingSubtract(bytes, ordering: .relaxed) }
      // Helpers are for an otherwise idle machine: beside other jobs they would only take turns with them.
      let turn = JobTurn(waited: MonotonicClock.now() - handedOver, crew: pool.isQuiet ? crew : nil)
      if let team { team.besides { job(turn) } } else { job(turn) }
    }
  }

  /// Puts a request in the line.
  ///
  /// - Parameters:
  ///   - place: where this is called.
  ///   - isSettled: whether an I/O queue that calls this settles its turn.
  ///   - completion: called once, on a worker or as the turn is settled, unless the request is withdrawn first.
  /// - Returns: takes the request out of the line again; it is then neither computed nor completed.
  /// - Throws: `.admission` where the line is full or the pool is being drained.
  func submit(
    _ request: ForwardRequest, id: RequestID, from place: DecodingPlace, isSettled: Bool,
    completion: @escaping @Sendable (Result<ForwardResult, APIError>) -> Void
  ) throws(APIError) -> @Sendable () -> Void {
    let key: BatchKey
    let widths: ActivationWidths
    let dOut: Int
    switch request.subject {
    case .packed(let block):
      key =
        switch request.gradient?.wantsWeights {
        case nil: .block(block.identity, choices: request.experts?.choices)
        case false?: .gradient(block.identity, choices: request.experts?.choices)
        case true?: .alone(id)
        }
      (widths, dOut) = (ActivationWidths(block), block.dOut)
    case .given(let layer):
      (key, widths, dOut) = (.alone(id), ActivationWidths(dFF: layer.dFF), layer.dOut)
    case .givenConvolution(let convolution):
      (key, dOut) = (.alone(id), convolution.channelsOut)
      widths = ActivationWidths(dFF: dOut)
    }
    let entry = Entry(request, widths: widths, dOut: dOut, completion: completion)
    do {
      let ticket = try pool.submit(
        entry, key: key, rows: request.rows, priority: request.priority, deadline: request.deadline,
        from: caller(request, place, isSettled: isSettled))
      return { [pool] in pool.cancel(ticket) }
    } catch {
      throw .admission(error)
    }
  }

  private func caller(_ request: ForwardRequest, _ place: DecodingPlace, isSettled: Bool) -> Caller {
    switch (place, request.subject) {
    case (.worker, _): .worker
    case (.ioQueue, .packed(let block)) where isSettled && request.gradient == nil && request.experts == nil:
      .host(rows: brief.rows(of: block), alone: brief.rowsAlone(of: block))
    case (.ioQueue, _): .anybody
    }
  }
}

extension BatchKey {
  /// Of a packed layer or mixture; for rows that bring their experts, with how many of them each brings.
  fileprivate static func block(_ block: ObjectIdentifier, choices: Int?) -> BatchKey {
    BatchKey(kind: 0, high: UInt64(choices ?? 0), low: UInt64(UInt(bitPattern: block)))
  }

  /// Of a packed layer or mixture that is differentiated by its input; the choices as above.
  fileprivate static func gradient(_ block: ObjectIdentifier, choices: Int?) -> BatchKey {
    BatchKey(kind: 1, high: UInt64(choices ?? 0), low: UInt64(UInt(bitPattern: block)))
  }

  /// Of a request with weights of its own, or that asks for their gradients.
  fileprivate static func alone(_ id: RequestID) -> BatchKey { BatchKey(kind: 2, high: id.high, low: id.low) }
}

extension BatchEntry {
  /// What ``Inference`` has put in the line of its pool.
  var inference: Inference.Entry {
    guard let entry = payload as? Inference.Entry else { preconditionFailure("what was submitted comes back") }
    return entry
  }
}
