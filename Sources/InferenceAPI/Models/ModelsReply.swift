internal import FeedForward
internal import HTTP1
internal import TensorCoding

// GET /v1/models and /v1/models/{model}: what is loaded, and of which shapes.

extension InferenceAPI {
  func listModels(_ call: Call) {
    guard let catalog else { return call.fail(.notReady) }
    var writer = JSONWriter()
    writer.object { writer in
      writer.string(catalog.defaultModel.name, as: "default_model")
      writer.member("models")
      writer.array { writer in catalog.models.forEach { writer.model($0) } }
    }
    call.answer(.json(writer))
  }

  func describeModel(_ call: Call) {
    guard let catalog else { return call.fail(.notReady) }
    let name = call.parameters[0]
    guard let model = catalog[name] else { return call.fail(.unknownModel(name)) }
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
  private mutating func layer(_ served: ServedLayer, index: Int) {
    let layer = served.block
    object { writer in
      writer.string(served.name, as: "name")
      writer.integer(index, as: "index")
      writer.string(layer.gate.wireName, as: "variant")
      for (parameter, value) in layer.gate.parameters {
        writer.member(parameter.rawValue)
        writer.float(value)
      }
      writer.integer(layer.dIn, as: "d_model")
      writer.integer(layer.dFF, as: "d_ff")
      writer.integer(layer.dOut, as: "d_out")
      if case .mixture(let mixture) = layer {
        writer.integer(mixture.experts.count, as: "experts")
        writer.integer(mixture.topK, as: "top_k")
        writer.member("shared")
        writer.bool(mixture.shared != nil)
      }
      writer.string(served.storedType, as: "dtype")
      writer.integer(layer.residentBytes, as: "bytes")
    }
  }
}
