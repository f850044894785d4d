internal import TensorCoding

/// What `POST …/infer` asks for, once its body has been read and its members go together.
struct InferenceRequest: Sendable {
  var id: String?
  var parameters = RequestParameters()
  /// `[…, dModel]`
  let input: Tensor
  let experts: GivenExperts?
  /// Never empty; in the order of the reply.
  let outputs: [InferenceOutput]

  /// Nil where neither experts nor the parameter are given.
  var missing: MissingExperts? { parameters.missing ?? experts.map { _ in .refuse } }

  var activations: ActivationSet {
    outputs.reduce(into: []) { set, output in
      if case .activation(let activation) = output.name { set.insert(ActivationSet(activation)) }
    }
  }

  func isBinary(_ output: InferenceOutput) -> Bool { output.isBinary ?? parameters.binaryOutput }

  /// Reads a body: JSON, and behind it the tensors that came in binary, in the order of the inputs.
  ///
  /// - Parameter jsonBytes: at most `body.count`.
  /// - Throws: `.json`, and `.openInference` where the parts do not go together.
  init(decoding body: [UInt8], jsonBytes: Int, limits: TensorLimits, crew: Crew?) throws(APIError) {
    var members = InferenceMembers(limits: limits)
    try JSONReader.readBody(body[..<jsonBytes], crew: crew) { reader throws(JSONError) in
      try members.read(from: &reader)
    }
    if let unsupported = members.outputs.lazy.compactMap(\.unsupported).first {
      throw .openInference(.unsupported(unsupported))
    }
    let tensors = try members.tensors(body, from: jsonBytes)
    guard let input = tensors.first(.input) else { throw .openInference(.missingInput(.input)) }
    self.input = input.tensor
    experts = try Self.experts(tensors)
    id = members.id
    parameters = members.parameters
    outputs = members.outputs.isEmpty ? [InferenceOutput(.output)] : members.outputs
  }

  /// A raw body: all of it is the one input, as many rows as it holds, and the output comes back in binary.
  ///
  /// - Parameter width: numbers of a row.
  init(raw body: [UInt8], width: Int) throws(APIError) {
    let (rows, rest) = body.count.quotientAndRemainder(dividingBy: width * NumericType.fp32.byteCount)
    guard rows > 0, rest == 0 else { throw .openInference(.rawBytes(found: body.count, row: width * 4)) }
    do {
      input = try Tensor(decoding: body.span.bytes, as: .fp32, shape: Shape(rows: rows, columns: width))
    } catch {
      throw .json(error)
    }
    experts = nil
    outputs = [InferenceOutput(.output)]
    parameters.binaryOutput = true
  }

  private static func experts(_ tensors: InputTensors) throws(APIError) -> GivenExperts? {
    switch (tensors.first(.expertIndices), tensors.first(.expertWeights)) {
    case (nil, nil): nil
    case (let indices?, let weights?): GivenExperts(indices: indices, weights: weights)
    case (nil, _?): throw .openInference(.missingInput(.expertIndices))
    case (_?, nil): throw .openInference(.missingInput(.expertWeights))
    }
  }
}

/// At most one of each name: so few are found faster in a list than hashed.
private typealias InputTensors = [(name: InferenceInput.Name, tensor: WireTensor)]

extension InputTensors {
  fileprivate func first(_ name: InferenceInput.Name) -> WireTensor? { first { $0.name == name }?.tensor }
}

/// The members of the request's object as they stood there, each right by itself.
private struct InferenceMembers {
  let limits: TensorLimits
  var id: String?
  var parameters = RequestParameters()
  var inputs: [InferenceInput] = []
  var outputs: [InferenceOutput] = []

  init(limits: TensorLimits) {
    self.limits = limits
  }

  mutating func read(from reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "id": id = try reader.readString()
      case "parameters": parameters = try RequestParameters(reading: &reader)
      case "inputs":
        try reader.readArray { reader, _ throws(JSONError) in
          let input = try InferenceInput(reading: &reader, limits: limits)
          guard !inputs.contains(where: { $0.name == input.name }) else { throw .here(.duplicateMember) }
          inputs.append(input)
        }
      case "outputs":
        try reader.readArray { reader, _ throws(JSONError) in
          let output = try InferenceOutput(reading: &reader)
          guard !outputs.contains(where: { $0.name == output.name }) else { throw .here(.duplicateMember) }
          outputs.append(output)
        }
      default: throw .here(.unknownMember)
      }
    }
    if !keys.contains("inputs") { throw .here(.missingMember("inputs")) }
  }

  /// The inputs' tensors, those in binary out of what stands behind the JSON: all of it, and no more than is there.
  func tensors(_ body: [UInt8], from jsonBytes: Int) throws(APIError) -> InputTensors {
    var tensors: InputTensors = []
    var start = jsonBytes
    for (place, input) in inputs.enumerated() {
      var count = 0
      if case .binary(let bytes) = input.elements { count = bytes }
      let expected = input.shape.count * input.type.byteCount
      do throws(JSONError) {
        if case .binary = input.elements, count != expected {
          throw .here(.byteCount(expected: expected, found: count)).nested(below: "binary_data_size")
            .nested(below: "parameters")
        }
        guard count <= body.count - start else { break }
        let tensor = try input.tensor(body.span.bytes.extracting(start..<start + count))
        tensors.append((input.name, input.wireTensor(tensor)))
      } catch {
        throw .json(error.nested(below: String(place)).nested(below: "inputs"))
      }
      start += count
    }
    let declared = inputs.reduce(0) { sum, input in
      if case .binary(let bytes) = input.elements { sum + bytes } else { sum }
    }
    guard declared == body.count - jsonBytes else {
      throw .openInference(.binaryBytes(declared: declared, found: body.count - jsonBytes))
    }
    return tensors
  }
}

extension InferenceInput {
  /// The tensor with what a rule about its elements needs to know of where they came from.
  fileprivate func wireTensor(_ tensor: Tensor) -> WireTensor {
    // Whole numbers are exact in every type but the narrow ones.
    WireTensor(tensor: tensor, encoding: .flat, datatype: type.datatype ?? .fp32)
  }
}
