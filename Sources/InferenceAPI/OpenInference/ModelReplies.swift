internal import Batching
internal import HTTP1
internal import TensorCoding

// What the Open Inference Protocol asks about one model.
//
// Both replies name one input and one output. The experts that a request may bring and the activations that it may ask
// for are left out: load generators send and ask for everything that is listed.

extension InferenceAPI {
  /// Looks up the model of the path and answers with what `reply` makes of it; the path's own errors are the answer
  /// where there is none.
  func answer(_ call: Call, _ reply: (ServedName, inout JSONWriter) -> Void) {
    guard let catalog else { return call.fail(.notReady) }
    do {
      let served = try catalog.served(call.parameters)
      var writer = JSONWriter()
      reply(served, &writer)
      call.answer(.json(writer))
    } catch {
      call.fail(error)
    }
  }

  /// GET /v2/models/{model}
  func describeServedName(_ call: Call) {
    answer(call) { served, writer in
      writer.object { writer in
        writer.string(served.text, as: "name")
        writer.member("versions")
        writer.array { $0.string(ServedName.version) }
        writer.string("sluice", as: "platform")
        writer.tensors("inputs", [(TensorName.input, served.subject.dIn)])
        writer.tensors("outputs", [(TensorName.output, served.subject.dOut)])
      }
    }
  }

  /// GET /v2/models/{model}/ready
  func answerModelReady(_ call: Call) {
    if isDraining { return call.fail(.draining) }
    answer(call) { served, writer in
      writer.object { writer in
        writer.string(served.text, as: "name")
        writer.member("ready")
        writer.bool(true)
      }
    }
  }

  /// GET /v2/models/{model}/config: Triton's model configuration as far as it says anything here. Dimensions are
  /// without the rows, whose number is bounded by `max_batch_size`.
  func describeConfiguration(_ call: Call) {
    answer(call) { served, writer in
      let subject = served.subject
      writer.object { writer in
        writer.string(served.text, as: "name")
        writer.string("", as: "platform")
        writer.string("sluice", as: "backend")
        writer.member("version_policy")
        writer.object { writer in
          writer.member("latest")
          writer.object { $0.integer(1, as: "num_versions") }
        }
        let rows = subject.rowsLimit(configuration)
        writer.integer(min(rows, Int(Int32.max)), as: "max_batch_size")
        writer.dimensions("input", TensorName.input, subject.dIn)
        writer.dimensions("output", TensorName.output, subject.dOut)
        writer.member("instance_group")
        writer.array { writer in
          writer.object { writer in
            writer.string("KIND_CPU", as: "kind")
            writer.integer(configuration.workers, as: "count")
          }
        }
        writer.member("dynamic_batching")
        writer.scheduling(configuration)
        writer.member("model_transaction_policy")
        writer.object { writer in
          writer.member("decoupled")
          writer.bool(false)
        }
        writer.member("response_cache")
        writer.object { writer in
          writer.member("enable")
          writer.bool(false)
        }
      }
    }
  }
}

/// The names of a layer's tensors in the protocol; those of its activations are ``Activation``'s.
enum TensorName {
  static let input = "input"
  static let output = "output"
  static let expertIndices = "expert_indices"
  static let expertWeights = "expert_weights"
}

extension JSONWriter {
  fileprivate mutating func tensors(_ member: StaticString, _ tensors: [(name: String, width: Int)]) {
    self.member(member)
    array { writer in
      for (name, width) in tensors {
        writer.object { writer in
          writer.string(name, as: "name")
          writer.string(Datatype.fp32.rawValue, as: "datatype")
          writer.member("shape")
          writer.array { writer in
            writer.integer(-1)
            writer.integer(width)
          }
        }
      }
    }
  }

  fileprivate mutating func dimensions(_ member: StaticString, _ name: String, _ width: Int) {
    self.member(member)
    array { writer in
      writer.object { writer in
        writer.string(name, as: "name")
        writer.string("TYPE_FP32", as: "data_type")
        writer.member("dims")
        writer.array { $0.integer(width) }
      }
    }
  }

  fileprivate mutating func scheduling(_ configuration: APIConfiguration) {
    object { writer in
      writer.member("preferred_batch_size")
      writer.array { $0.integer(configuration.batching.maxBatchRows) }
      let (seconds, attoseconds) = configuration.batching.batchDelay.components
      writer.integer(
        Int(seconds * 1_000_000 + attoseconds / 1_000_000_000_000), as: "max_queue_delay_microseconds")
    }
  }
}
