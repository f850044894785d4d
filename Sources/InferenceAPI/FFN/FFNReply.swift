internal import FeedForward
internal import TensorCoding

/// The answer of `POST /v1/ffn` or `POST /v1/ffn/gradient`, before it is printed.
struct FFNReply: ComputedReply {
  let request: FFNRequest
  let subject: FFNSubject
  let result: ForwardResult

  var tensors: [(name: String, tensor: Tensor)] {
    [(name: "output", tensor: result.output)] + result.activations.map { (name: $0.name.rawValue, tensor: $0.tensor) }
      + (result.gradient?.tensors ?? [])
  }

  var encoding: TensorEncoding { request.encoding }
  var datatype: Datatype { request.input.datatype }

  func write(to writer: inout JSONWriter) {
    writeHead(id: request.id, subject.label, subject.gate, to: &writer)
    write(result.output, as: "output", to: &writer)
    if request.missing == .skip {
      writer.member("missing")
      writer.array { writer in result.missing.forEach { writer.row($0) } }
    }
    if !request.activations.isEmpty {
      writer.member("activations")
      writer.object { writer in
        for (name, tensor) in result.activations {
          if name == .expertIndices {
            writer.member(named: name.rawValue)
            writer.integers(tensor)
          } else {
            write(tensor, as: name.rawValue, to: &writer)
          }
        }
      }
    }
    guard let gradient = result.gradient else { return }
    write(gradient.input, as: "grad_input", to: &writer)
    if let expertWeights = gradient.expertWeights { write(expertWeights, as: "grad_expert_weights", to: &writer) }
    guard request.gradient?.wantsWeights == true else { return }
    writer.member("grad_weights")
    writer.object { writer in
      for (name, tensor) in gradient.weights { write(tensor, as: name, to: &writer) }
    }
  }
}

extension JSONWriter {
  /// `{"row": 0, "experts": [40]}`
  mutating func row(_ row: RowWithoutExperts) {
    object { writer in
      writer.integer(row.row, as: "row")
      writer.member("experts")
      writer.array { writer in row.experts.forEach { writer.integer($0) } }
    }
  }

  /// Prints a tensor of whole numbers as nested arrays of integers, whatever the form of those beside it: no datatype
  /// of theirs holds every index.
  mutating func integers(_ tensor: Tensor) {
    let floats = tensor.floats
    nest(floats[...], tensor.shape.dims[...])
  }

  /// Prints them as one array.
  mutating func flatIntegers(_ tensor: Tensor) {
    array { writer in
      for value in tensor.floats { writer.integer(Int(value)) }
    }
  }

  private mutating func nest(_ values: ArraySlice<Float>, _ dims: ArraySlice<Int>) {
    guard let size = dims.first else { return integer(Int(values[values.startIndex])) }
    let step = values.count / size
    array { writer in
      for start in stride(from: values.startIndex, to: values.endIndex, by: step) {
        writer.nest(values[start..<start + step], dims.dropFirst())
      }
    }
  }
}
