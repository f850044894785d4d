internal import FeedForward
internal import HTTP1
internal import TensorCoding

// GET /v1/models and /v1/models/{model}: what is loaded, and of which shapes.

extension InferenceAPI {
  func listModels(_ call: Call) {
    let listing = store.listing
    var writer = JSONWriter()
    writer.object { writer in
      if let model = listing.defaultModel { writer.string(model.name, as: "default_model") }
      writer.member("models")
      writer.array { writer in listing.models.forEach { writer.model($0) } }
    }
    call.answer(.json(writer))
  }

  func describeModel(_ call: Call) {
    let name = call.parameters[0]
    guard let model = store.listing[name] else { return call.fail(.unknownModel(name)) }
    var writer = JSONWriter()
    writer.model(model)
    call.answer(.json(writer))
  }
}

extension JSONWriter {
  fileprivate mutating func model(_ model: ServedModel) {
    object { writer in
      writer.string(model.name, as: "name")
      writer.string(model.family, as: "family")
      writer.string(model.layers[model.defaultLayer].name, as: "default_layer")
      writer.integer(model.residentBytes, as: "bytes")
      writer.member("layers")
      writer.array { writer in
        for (index, layer) in model.layers.enumerated() { writer.layer(layer, index: index) }
      }
    }
  }

  /// `d_model` is what a row of the input has, `d_out` what a row of the output has: equal wherever a layer stands in a
  /// Transformer; `d_ff` where it has no down projection. In a mixture `d_ff` is each routed expert's.
  private mutating func layer(_ layer: ServedLayer, index: Int) {
    let shape = layer.shape
    object { writer in
      writer.string(layer.name, as: "name")
      writer.integer(index, as: "index")
      writer.string(layer.state.word, as: "state")
      writer.string(shape.gate.wireName, as: "variant")
      for (parameter, value) in shape.gate.parameters {
        writer.member(named: parameter.rawValue)
        writer.float(value)
      }
      writer.string(shape.kind, as: "kind")
      if let convolution = shape.convolution {
        writer.integer(shape.dIn, as: "channels_in")
        writer.integer(shape.dOut, as: "channels_out")
        writer.member("kernel_widths")
        writer.array { writer in convolution.widths.forEach { writer.integer($0) } }
        writer.integer(convolution.residualBlocks, as: "residual_blocks")
      } else {
        writer.integer(shape.dIn, as: "d_model")
        writer.integer(shape.dFF, as: "d_ff")
        writer.integer(shape.dOut, as: "d_out")
      }
      if let mixture = shape.mixture {
        writer.integer(mixture.experts, as: "experts")
        if mixture.held.count < mixture.experts {
          writer.member("held_experts")
          writer.array { writer in mixture.held.forEach { writer.integer($0) } }
        }
        writer.integer(mixture.topK, as: "top_k")
        writer.member("shared")
        writer.bool(mixture.hasShared)
      }
      writer.string(layer.storedType, as: "dtype")
      if let block = layer.block {
        writer.string(block.arithmetic.rawValue, as: "compute")
        writer.string(block.kernels.name, as: "kernels")
      }
      if let error = layer.error {
        writer.member("error")
        writer.float(Float(error))
      }
      writer.integer(layer.residentBytes, as: "bytes")
    }
  }
}

extension BlockShape {
  /// Which endpoint computes it.
  fileprivate var kind: String {
    if convolution != nil { return "gated_convolution" }
    return mixture == nil ? "feed_forward" : "mixture"
  }
}

extension ServedLayer.State {
  fileprivate var word: String {
    switch self {
    case .waiting: "waiting"
    case .packing: "packing"
    case .ready: "ready"
    }
  }
}
