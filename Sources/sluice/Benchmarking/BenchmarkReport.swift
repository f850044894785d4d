import FeedForward
import Glibc
import TensorCoding

/// What a benchmark says, as tables for people or as JSON lines for programs; each part goes out when it is known.
struct BenchmarkReport {
  let isJSON: Bool
  let kernels: Kernels
  let threads: Int

  /// The first line: the machine, and how long it will take.
  func begin(_ limits: MachineLimits, layers: Int, cells: Int, seconds: Double) {
    if isJSON {
      line { writer in
        writer.record("machine")
        if let name = Processor.name { writer.member("processor", name) }
        writer.member("version", Version.text)
        writer.member("kernels", kernels.name)
        writer.member("threads", threads)
        writer.member("peak_gops")
        writer.object { writer in
          for (arithmetic, gops) in limits.peaks { writer.member(arithmetic.rawValue, gops.median) }
        }
        for (name, read) in [("cache", limits.cacheRead), ("memory", limits.memoryRead)] {
          guard let read else { continue }
          writer.member("\(name)_read_bytes", read.bytes)
          writer.member("\(name)_read_gbps", read.gbps.median)
        }
        writer.member("cells", cells)
        writer.member("estimated_seconds", seconds)
      }
      return
    }
    print("machine  \(Processor.name ?? "processor without a name"), \(threads) threads, kernels \(kernels.name)")
    let peaks = limits.peaks.map { "\($0.arithmetic.rawValue) \($0.gops.median.fixed(0)) GOP/s" }
    print("peaks    \(peaks.joined(separator: " · "))")
    let reads = [("cache", limits.cacheRead), ("memory", limits.memoryRead)].compactMap { name, read in
      read.map { "\(name) (\($0.bytes >> 20) MiB) \($0.gbps.median.fixed(1)) GB/s" }
    }
    if !reads.isEmpty { print("reads    \(reads.joined(separator: " · "))") }
    print("time     about \(Self.duration(seconds)) (layers: \(layers), cells: \(cells))")
    flush()
  }

  func layer(_ subject: BenchmarkSubject, _ block: Block, _ cells: [BenchmarkCell]) {
    guard !cells.isEmpty else { return }
    if isJSON {
      for cell in cells { line { Self.write(cell, subject, block, &$0) } }
      return
    }
    let mebibytes = (Double(block.residentBytes) / 0x1p20).fixed(1)
    var facts = [block.gate.wireName, "\(subject.storedType) weights", "\(mebibytes) MiB packed"]
    if case .mixture(let mixture) = block { facts.insert("top \(mixture.topK) of \(mixture.experts.count)", at: 1) }
    if let count = subject.layerName?.count, count > 1 { facts.append("\(count) layers alike") }
    print("\n\(subject.title): \(facts.joined(separator: ", "))")
    var table = TextTable([
      .right("ROWS"), .right("MEDIAN µs"), .right("±"), .right("GOP/s"), .right("OF PEAK"), .right("GB/s"),
      .right("OF READ"), .right("OF NEXT"), .right("ROUNDS"),
    ])
    for cell in cells {
      table.append([
        "\(cell.rows)", (cell.time.median / 1000).fixed(1), cell.time.spread.percent, cell.gops.fixed(0),
        cell.peakShare.median.percent, cell.gbps?.fixed(1) ?? "-", cell.readShare?.median.percent ?? "-",
        cell.next?.share.median.percent ?? "-", "\(cell.rounds)",
      ])
    }
    print(table, terminator: "")
    for cell in cells where cell.isCliff {
      print("cliff: \(cell.rows) rows take \(cell.next!.share.median.percent) of the time of \(cell.next!.rows)")
    }
    flush()
  }

  func leftOut(_ subject: BenchmarkSubject, needed: Int, available: Int) {
    if isJSON {
      line { writer in
        writer.record("left-out")
        Self.write(subject, &writer)
        writer.member("bytes_needed", needed)
        writer.member("bytes_available", available)
      }
    }
    StandardError.print(
      "sluice: \(subject.title) is left out: it takes \(needed >> 20) MiB, and \(available >> 20) MiB are available\n")
  }

  func end(cells: Int, of total: Int, isInterrupted: Bool, seconds: Double) {
    if isJSON {
      line { writer in
        writer.record("end")
        writer.member("cells", cells)
        writer.member("interrupted")
        writer.bool(isInterrupted)
        writer.member("seconds", seconds)
      }
    } else if isInterrupted {
      print("\ninterrupted: \(cells) of \(total) cells")
      flush()
    }
  }

  /// `45 s`, `2 min 5 s`
  static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded(.up))
    return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
  }

  private static func write(
    _ cell: BenchmarkCell, _ subject: BenchmarkSubject, _ block: Block, _ writer: inout JSONWriter
  ) {
    writer.record("cell")
    write(subject, &writer)
    writer.member("gate", block.gate.wireName)
    if case .mixture(let mixture) = block {
      writer.member("experts", mixture.experts.count)
      writer.member("top_k", mixture.topK)
    }
    writer.member("resident_bytes", block.residentBytes)
    writer.member("rows", cell.rows)
    writer.member("rounds", cell.rounds)
    for (name, value) in [
      ("median", cell.time.median), ("least", cell.time.least), ("lower", cell.time.lower), ("upper", cell.time.upper),
    ] {
      writer.member("\(name)_us", value / 1000)
    }
    writer.member("gops", cell.gops)
    if let gbps = cell.gbps { writer.member("gbps", gbps) }
    writer.member("peak_share", cell.peakShare)
    if let share = cell.readShare { writer.member("read_share", share) }
    if let next = cell.next {
      writer.member("next_rows", next.rows)
      writer.member("next_share", next.share)
      writer.member("cliff")
      writer.bool(cell.isCliff)
    }
  }

  private static func write(_ subject: BenchmarkSubject, _ writer: inout JSONWriter) {
    if let (model, layer, count) = subject.layerName {
      writer.member("model", model)
      writer.member("layer", layer)
      writer.member("layers_alike", count)
    }
    writer.member("d_model", subject.shape.dModel)
    writer.member("d_ff", subject.shape.dFF)
    writer.member("compute", subject.arithmetic.rawValue)
    writer.member("stored", subject.storedType)
  }

  /// One JSON object on a line of its own, sent at once.
  private func line(_ members: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    writer.object(members)
    print(String(decoding: writer.text, as: UTF8.self))
    flush()
  }

  private func flush() { fflush(nil) }
}

extension JSONWriter {
  fileprivate mutating func record(_ kind: String) { member("record", kind) }

  /// The median as `name`, the quartiles beside it.
  fileprivate mutating func member(_ name: String, _ quartiles: Quartiles) {
    member(name, quartiles.median)
    member("\(name)_lower", quartiles.lower)
    member("\(name)_upper", quartiles.upper)
  }
}
