package import Checkpoint
package import FeedForward
internal import Synchronization

/// Models being served, loaded, exchanged and given back.
///
/// Everything may be called from any thread and none of it blocks: checkpoints are opened and packed one after the
/// other in the background. A request takes one snapshot (``catalog``) and goes on with it; what a snapshot holds lives
/// as long as the snapshot, so that an exchange or an unloading fails no request, and the memory goes back with the
/// last request that used it.
package final class ModelStore: Sendable {
  package struct Configuration: Sendable {
    package var kernels: Kernels
    /// What checkpoints are computed in; without it, each layer as its weights are stored.
    package var arithmetic: Arithmetic?
    /// Threads that help to pack where cores are idle.
    package var team: Team?
    /// The layers of every checkpoint that are loaded; all of them without it.
    package var layers: LayerSelection?
    /// The experts of every mixture that are loaded; all of them without it.
    package var experts: ExpertSelection?
    /// Where models are looked for that were not given at the start.
    package var repository: ModelRepository?
    /// Where packed panels are kept for the next start.
    package var cache: PackedCache?

    package init(kernels: Kernels) {
      self.kernels = kernels
    }
  }

  package typealias Completion = @Sendable (Result<Void, ModelStoreError>) -> Void

  private let configuration: Configuration
  private let packing: ModelPacking
  private let background: @Sendable (@escaping @Sendable () -> Void) -> Void
  private let observe: @Sendable (ModelEvent) -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - background: runs what it is given, one after the other, on a thread that may be held for long.
  ///   - observe: is told what happens, in order and one at a time for each model.
  package init(
    _ configuration: Configuration, background: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
    observe: @escaping @Sendable (ModelEvent) -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.background = background
    self.observe = observe
    packing = ModelPacking(
      kernels: configuration.kernels, arithmetic: configuration.arithmetic, team: configuration.team)
  }

  // MARK: What there is

  /// What requests are answered from; nil until something can answer.
  package var catalog: ModelCatalog? { state.withLock { $0.answers ? $0.listing : nil } }

  /// Whether all models that were given at the start have been loaded.
  package var isReady: Bool { state.withLock { $0.isStarted } }

  /// What is loaded or being loaded for the first time, for whoever describes it; ``catalog`` as soon as something can
  /// answer.
  package var listing: ModelCatalog { state.withLock { $0.listing } }

  /// Every model that is loaded, being loaded, known from before or in the repository: those in the repository alone
  /// come last, by name.
  package var entries: [ModelEntry] {
    var entries = state.withLock { $0.slots.map(\.entry) }
    let known = Set(entries.map(\.name))
    for name in configuration.repository?.names ?? [] where !known.contains(name) {
      entries.append(ModelEntry(name: name, state: .unavailable(reason: "not loaded")))
    }
    return entries
  }

  /// Whether it may be told by name what to load.
  package var hasRepository: Bool { configuration.repository != nil }

  // MARK: Changing it

  /// Opens the models that are served from the start; nothing is packed yet. To be called once, before ``start``.
  ///
  /// - Throws: what would be refused, before anything takes long. Nothing is served then.
  package func open(_ models: [GivenModel]) throws(ModelStoreError) {
    var slots: [ModelSlot] = []
    for model in models {
      if model.name.isEmpty || model.name.contains("/") { throw .invalidName(model.name) }
      if slots.contains(where: { $0.name == model.name }) { throw .duplicateModel(model.name) }
      var slot = ModelSlot(name: model.name, source: model.source)
      slot.begin(try open(model.name, model.source))
      slots.append(slot)
    }
    state.withLock {
      $0.slots = slots
      $0.publish()
    }
  }

  /// Packs what was opened, in its order.
  ///
  /// - Parameter completion: called in the background, with the first failure if there is one.
  package func start(_ completion: @escaping Completion) {
    background { [self] in
      do throws(ModelStoreError) {
        for (name, opened, attempt) in state.withLock({ $0.slots.compactMap(\.underWay) }) {
          do throws(ModelStoreError) { try finish(name, opened, attempt) } catch {
            // What somebody unloads meanwhile is not missed.
            if error != .superseded(name) { throw error }
          }
        }
        state.withLock {
          $0.isStarted = true
          $0.publish()
        }
        completion(.success(()))
      } catch {
        completion(.failure(error))
      }
    }
  }

  /// Loads a model: again from where it came from, or for the first time from the repository. It is exchanged when all
  /// of it is packed; a failure leaves what is running.
  ///
  /// - Parameter completion: called in the background.
  package func load(_ name: String, completion: @escaping Completion) {
    background { [self] in
      do throws(ModelStoreError) {
        try load(name)
        completion(.success(()))
      } catch {
        completion(.failure(error))
      }
    }
  }

  /// Takes a model out of what is served, or stops its being loaded. Requests in flight finish on their snapshot.
  package func unload(_ name: String) throws(ModelStoreError) {
    try state.withLock { state throws(ModelStoreError) in
      guard let place = state.place(of: name), state.slots[place].isPresent else { throw .notLoaded(name) }
      state.slots[place].unload()
      state.publish()
    }
    observe(.unloaded(model: name))
  }

  /// Loads every model that is served once more from where it came from, and leaves those running that fail.
  ///
  /// - Parameter completion: called in the background when the last is done, with the failures.
  package func reloadAll(_ completion: @escaping @Sendable ([ModelStoreError]) -> Void = { _ in }) {
    background { [self] in
      var failures: [ModelStoreError] = []
      for name in state.withLock({ $0.slots.filter(\.isReloadable).map(\.name) }) {
        do throws(ModelStoreError) { try load(name) } catch { failures.append(error) }
      }
      completion(failures)
    }
  }

  // MARK: In the background

  private func load(_ name: String) throws(ModelStoreError) {
    let known = state.withLock { state in state.place(of: name).map { state.slots[$0].source } }
    let found = configuration.repository?.path(of: name).map { ModelSource.checkpoint(path: $0) }
    guard let source = known ?? found else { throw .unknownModel(name) }
    let opened: OpenedModel
    do { opened = try open(name, source) } catch {
      fail(name, source, error)
      throw error
    }
    let attempt = state.withLock { state in
      let place = state.place(of: name, appending: source)
      state.slots[place].begin(opened)
      state.publish()
      return state.slots[place].attempt
    }
    try finish(name, opened, attempt)
  }

  private func open(_ name: String, _ source: ModelSource) throws(ModelStoreError) -> OpenedModel {
    switch source {
    case .made(let make): return .made(try make(name, configuration.kernels))
    case .checkpoint(let path):
      let (layers, experts) = (configuration.layers, configuration.experts)
      do { return .checkpoint(try Checkpoint.open(path, layers: layers, experts: experts)) } catch {
        throw .checkpoint(model: name, error)
      }
    }
  }

  /// Packs an opened model layer by layer, and puts it in the place of an older one.
  private func finish(_ name: String, _ opened: OpenedModel, _ attempt: Int) throws(ModelStoreError) {
    do throws(ModelStoreError) {
      guard case .checkpoint(let checkpoint) = opened else {
        return observe(.loaded(try change(name, attempt) { $0.complete() }))
      }
      observe(.packing(model: name, checkpoint))
      observe(.progress(try change(name, attempt) { $0.progress }))
      let cache = configuration.cache.map { ModelCache($0, checkpoint, packing) }
      let stored = cache.flatMap { storedPanels(of: name, in: $0) }
      var layers: [PackedLayer] = []
      for source in checkpoint.layers {
        try change(name, attempt) { $0.beginLayer(source.index) }
        let packed = try packing.pack(source, of: name, stored: stored)
        if cache != nil { layers.append(packed) }
        let progress = try change(name, attempt) {
          $0.completeLayer(source.index, packed)
          return $0.progress
        }
        observe(.progress(progress))
      }
      observe(.loaded(try change(name, attempt) { $0.complete() }))
      if let cache { keep(layers, of: name, in: cache, stored) }
    } catch {
      // What was unloaded meanwhile has said so already.
      if error != .superseded(name) { fail(name, nil, error) }
      throw error
    }
  }

  private func storedPanels(of name: String, in cache: ModelCache) -> StoredPanels? {
    switch cache.open() {
    case .absent: return nil
    case .unusable(let reason):
      observe(.cacheIgnored(model: name, reason: reason))
      return nil
    case .panels(let stored): return stored
    }
  }

  /// Writes down what has been packed, or looks whether all of what was found is what had been written: both when
  /// the model answers already. Damage has the model loaded again, from its checkpoint.
  private func keep(_ layers: [PackedLayer], of name: String, in cache: ModelCache, _ stored: StoredPanels?) {
    background { [self] in
      if let stored {
        if stored.isIntact() { return }
        cache.remove()
        observe(.cacheIgnored(model: name, reason: "its panels are damaged"))
        do throws(ModelStoreError) { try load(name) } catch {}
        return
      }
      do throws(CheckpointError) { try cache.write(layers) } catch {
        observe(.cacheNotWritten(model: name, reason: "\(error)"))
      }
    }
  }

  /// Changes a model that is being loaded, and shows it.
  private func change<R>(
    _ name: String, _ attempt: Int, _ body: (inout ModelSlot) -> R
  ) throws(ModelStoreError) -> R {
    try state.withLock { state throws(ModelStoreError) in
      guard let place = state.place(of: name), state.slots[place].underWay?.attempt == attempt else {
        throw .superseded(name)
      }
      defer { state.publish() }
      return body(&state.slots[place])
    }
  }

  /// - Parameter source: where the model was found, for one that is not known yet.
  private func fail(_ name: String, _ source: ModelSource?, _ error: ModelStoreError) {
    let servesOlder = state.withLock { state in
      guard let place = source.map({ state.place(of: name, appending: $0) }) ?? state.place(of: name) else {
        return false
      }
      state.slots[place].fail(error)
      state.publish()
      return state.slots[place].isPresent
    }
    observe(.failed(model: name, error, servesOlder: servesOlder))
  }
}

/// What stands under a store's lock.
private struct State {
  var slots: [ModelSlot] = []
  var isStarted = false
  private(set) var listing = ModelCatalog([])
  /// Whether a request could be answered: something is packed, or nothing was asked for.
  private(set) var answers = false

  mutating func publish() {
    listing = ModelCatalog(slots.compactMap(\.shown))
    answers = isStarted || listing.models.contains { $0.layers.contains { $0.block != nil } }
  }

  func place(of name: String) -> Int? { slots.firstIndex { $0.name == name } }

  mutating func place(of name: String, appending source: ModelSource) -> Int {
    if let place = place(of: name) { return place }
    slots.append(ModelSlot(name: name, source: source))
    return slots.count - 1
  }
}
