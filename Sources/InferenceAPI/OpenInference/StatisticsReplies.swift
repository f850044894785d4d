internal import HTTP1
internal import TensorCoding

// The statistics extension: GET /v2/models/{model}/stats and /v2/models/stats.

extension InferenceAPI {
  func showStatistics(_ call: Call) {
    answer(call) { served, writer in
      writer.modelStatistics { $0.statistics(served.layer.meter, of: served.text) }
    }
  }

  /// Those of every layer: a model's default layer under the model's name, the others as `NAME.INDEX`.
  func listStatistics(_ call: Call) {
    guard let catalog else { return call.fail(.notReady) }
    var writer = JSONWriter()
    writer.modelStatistics { writer in
      for model in catalog.models {
        for (index, layer) in model.layers.enumerated() {
          let name = index == model.defaultLayer ? model.name : "\(model.name).\(index)"
          writer.statistics(layer.meter, of: name)
        }
      }
    }
    call.answer(.json(writer))
  }
}

extension JSONWriter {
  fileprivate mutating func modelStatistics(_ elements: (inout JSONWriter) -> Void) {
    object { writer in
      writer.member("model_stats")
      writer.array(elements)
    }
  }

  fileprivate mutating func statistics(_ meter: LayerMeter, of name: String) {
    let statistics = meter.statistics
    object { writer in
      writer.string(name, as: "name")
      writer.string(ServedName.version, as: "version")
      writer.integer(statistics.rows, as: "inference_count")
      writer.integer(meter.passes, as: "execution_count")
      writer.member("inference_stats")
      writer.object { writer in
        writer.tally(statistics.success, as: "success")
        writer.tally(statistics.failure, as: "fail")
        writer.tally(statistics.queue, as: "queue")
        writer.tally(statistics.decode, as: "compute_input")
        writer.tally(statistics.compute, as: "compute_infer")
        writer.tally(statistics.encode, as: "compute_output")
        // Nothing is cached.
        writer.tally(LayerStatistics.Tally(), as: "cache_hit")
        writer.tally(LayerStatistics.Tally(), as: "cache_miss")
      }
    }
  }

  private mutating func tally(_ tally: LayerStatistics.Tally, as name: StaticString) {
    member(name)
    object { writer in
      writer.integer(tally.count, as: "count")
      writer.integer(tally.nanoseconds, as: "ns")
    }
  }
}
