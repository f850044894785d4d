internal import Batching
internal import HTTP1
internal import TensorCoding

/// The answer of `POST …/infer`, before its bytes are made: JSON, and behind it the outputs in binary.
struct InferenceReply: ResultReply {
  private struct Output: Sendable {
    let name: InferenceOutput.Name
    let tensor: Tensor
    let datatype: Datatype
    let isBinary: Bool

    /// Experts' indices have a type of their own: no narrower one holds them all.
    var isIndices: Bool { name == .activation(.expertIndices) }
    var typeName: String { isIndices ? NumericType.int64.rawValue : datatype.rawValue }
    var bytes: Int { tensor.shape.count * (isIndices ? NumericType.int64.byteCount : datatype.byteCount) }
  }

  private let modelName: String
  private let id: String?
  private let outputs: [Output]
  /// Rows whose sums went without some of their experts, where the request lets them.
  private let missing: [RowWithoutExperts]?

  init(request: InferenceRequest, modelName: String, result: ForwardResult) {
    self.modelName = modelName
    id = request.id
    missing = request.missing == .skip ? result.missing : nil
    outputs = request.outputs.compactMap { output in
      let tensor =
        switch output.name {
        case .output: result.output
        case .activation(let activation): result.activations.first { $0.name == activation }?.tensor
        }
      return tensor.map {
        Output(name: output.name, tensor: $0, datatype: output.datatype, isBinary: request.isBinary(output))
      }
    }
  }

  /// In binary a number that is not finite is told as it is.
  func checkFinite() throws(APIError) {
    for output in outputs where !output.isIndices && !output.isBinary {
      if let place = output.tensor.firstNonFinite(as: output.datatype) {
        throw .nonFinite(tensor: output.name.text, index: output.tensor.shape.index(of: place))
      }
    }
  }

  private var binaryBytes: Int { outputs.reduce(0) { $0 + ($1.isBinary ? $1.bytes : 0) } }
  private var printedNumbers: Int { outputs.reduce(0) { $0 + ($1.isBinary ? 0 : $1.tensor.shape.count) } }

  func fits(_ limits: InlineLimits) -> Bool {
    printedNumbers <= limits.replyNumbers && binaryBytes <= limits.binaryBytes
  }

  var likelyBytes: Int { 512 + 128 * outputs.count + 12 * printedNumbers + binaryBytes }

  func response(_ timing: RequestTiming, receivedAt: Nanoseconds, crew: Crew?) -> (Response, RequestTiming) {
    let started = MonotonicClock.now()
    var timing = timing
    var writer = JSONWriter(reserving: likelyBytes, crew: crew)
    let places = writeJSON(to: &writer, timing)
    var body = (consume writer).text
    let jsonBytes = body.count
    for output in outputs where output.isBinary {
      if output.isIndices {
        body.appendBinaryIntegers(output.tensor)
      } else {
        body.appendBinary(output.tensor, as: output.datatype)
      }
    }
    let now = MonotonicClock.now()
    timing.encode = now - started
    timing.total = now - receivedAt
    body.setInteger(timing.encode / 1000, at: places.encode)
    body.setInteger(timing.total / 1000, at: places.total)

    var response = Response(.ok, [:], body: body)
    if outputs.contains(where: \.isBinary) {
      response.fields.append(.contentType, "application/octet-stream")
      response.fields.append(.inferenceHeaderContentLength, String(jsonBytes))
    } else {
      response.fields.append(.contentType, "application/json")
    }
    response.fields.append(.serverTiming, timing.serverTiming)
    return (response, timing)
  }

  /// The timing stands in the parameters of the whole, as numbers: in those of an output some clients read it as a
  /// tensor's size.
  ///
  /// - Returns: where the times are to be put that the JSON itself takes part in.
  private func writeJSON(
    to writer: inout JSONWriter, _ timing: RequestTiming
  ) -> (encode: IntegerPlace, total: IntegerPlace) {
    var places: (encode: IntegerPlace, total: IntegerPlace)?
    writer.object { writer in
      writer.string(modelName, as: "model_name")
      writer.string(ServedName.version, as: "model_version")
      if let id { writer.string(id, as: "id") }
      writer.member("parameters")
      writer.object { writer in
        if let missing { writer.string(Self.text(of: missing), as: "missing") }
        places = writer.unfinishedTiming(timing)
      }
      writer.member("outputs")
      writer.array { writer in
        for output in outputs { write(output, to: &writer) }
      }
    }
    return places!
  }

  /// The protocol's parameters are scalars: the list of `/v1/ffn`, as text.
  private static func text(of missing: [RowWithoutExperts]) -> String {
    var writer = JSONWriter(reserving: 32 * missing.count + 2)
    writer.array { writer in missing.forEach { writer.row($0) } }
    return String(decoding: (consume writer).text, as: UTF8.self)
  }

  private func write(_ output: Output, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.string(output.name.text, as: "name")
      writer.member("shape")
      writer.array { writer in
        for axis in 0..<output.tensor.shape.rank { writer.integer(output.tensor.shape[axis]) }
      }
      writer.string(output.typeName, as: "datatype")
      if output.isBinary {
        writer.member("parameters")
        writer.object { $0.integer(output.bytes, as: "binary_data_size") }
      } else {
        writer.member("data")
        if output.isIndices {
          writer.flatIntegers(output.tensor)
        } else {
          writer.numbers(output.tensor, as: output.datatype)
        }
      }
    }
  }
}

extension JSONWriter {
  /// The members of `timing`, of which two are known only when all is written.
  fileprivate mutating func unfinishedTiming(_ timing: RequestTiming) -> (encode: IntegerPlace, total: IntegerPlace) {
    integer(timing.read / 1000, as: "read_us")
    integer(timing.decode / 1000, as: "decode_us")
    integer(timing.queue / 1000, as: "queue_us")
    integer(timing.compute / 1000, as: "compute_us")
    member("encode_us")
    let encode = integerToCome()
    member("total_us")
    let total = integerToCome()
    integer(timing.batchRows, as: "batch_rows")
    integer(timing.batchRequests, as: "batch_requests")
    return (encode, total)
  }
}
