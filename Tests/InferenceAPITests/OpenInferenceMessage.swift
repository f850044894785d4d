import Foundation
import HTTP1
import InferenceAPI

/// Requests of the Open Inference Protocol, byte by byte, and what their answers hold.
enum OpenInferenceMessage {
  /// - Parameter jsonBytes: what `Inference-Header-Content-Length` says; nil for no such field.
  static func infer(
    _ model: String, _ json: String, binary: [UInt8] = [], jsonBytes: String? = nil,
    contentType: String? = nil
  ) -> [UInt8] {
    let body = Array(json.utf8) + binary
    let length = jsonBytes.map { "Inference-Header-Content-Length: \($0)\r\n" } ?? ""
    let type = contentType.map { "Content-Type: \($0)\r\n" } ?? ""
    return Array(
      """
      POST /v2/models/\(model)/infer HTTP/1.1\r
      Host: localhost\r
      \(type)\(length)Content-Length: \(body.count)\r
      \r

      """.utf8) + body
  }

  /// With the header that says where the JSON ends.
  static func infer(_ model: String, _ json: String, behind binary: [UInt8]) -> [UInt8] {
    infer(model, json, binary: binary, jsonBytes: "\(json.utf8.count)")
  }

  /// For the demo model.
  static func infer(
    _ json: String, binary: [UInt8] = [], jsonBytes: String? = nil, contentType: String? = nil
  ) -> [UInt8] {
    infer("demo", json, binary: binary, jsonBytes: jsonBytes, contentType: contentType)
  }

  static func infer(_ json: String, behind binary: [UInt8]) -> [UInt8] { infer("demo", json, behind: binary) }

  static func fp32(_ values: [Float]) -> [UInt8] { values.flatMap { bytes($0.bitPattern) } }
  static func fp16(_ values: [Float]) -> [UInt8] { values.flatMap { bytes(Float16($0).bitPattern) } }
  /// Exact for values of eight significant bits.
  static func bf16(_ values: [Float]) -> [UInt8] { values.flatMap { bytes(UInt16($0.bitPattern >> 16)) } }
  static func fp64(_ values: [Double]) -> [UInt8] { values.flatMap { bytes($0.bitPattern) } }

  /// Little-endian.
  static func bytes<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Integer($0 * 8)) }
  }
}

extension Harness {
  func send(_ request: [UInt8]) async -> Answer { Answer(await start(request).response()) }
}

/// An answer of `infer`: its JSON, and the outputs wherever they are.
struct Inferred {
  let json: [String: Any]
  private var binary: [String: [UInt8]] = [:]

  init(_ answer: Answer) {
    let jsonBytes = answer.fields.first(.inferenceHeaderContentLength).flatMap { Int($0) } ?? answer.body.count
    json =
      (try? JSONSerialization.jsonObject(with: Data(answer.body.prefix(jsonBytes)))) as? [String: Any] ?? [:]
    var rest = answer.body.dropFirst(jsonBytes)
    for output in json["outputs"] as? [[String: Any]] ?? [] {
      guard let size = (output["parameters"] as? [String: Any])?["binary_data_size"] as? Int else { continue }
      binary[output["name"] as? String ?? ""] = Array(rest.prefix(size))
      rest = rest.dropFirst(size)
    }
    isWhole = rest.isEmpty
  }

  /// Whether the outputs in binary are all that follows the JSON.
  let isWhole: Bool

  var outputs: [[String: Any]] { json["outputs"] as? [[String: Any]] ?? [] }
  var names: [String] { outputs.compactMap { $0["name"] as? String } }

  func output(_ name: String = "output") -> [String: Any] { outputs.first { $0["name"] as? String == name } ?? [:] }
  func shape(_ name: String = "output") -> [Int] { output(name)["shape"] as? [Int] ?? [] }
  func datatype(_ name: String = "output") -> String { output(name)["datatype"] as? String ?? "" }
  func isBinary(_ name: String = "output") -> Bool { binary[name] != nil }

  /// The elements' own bytes, where the output came in binary.
  func bytes(_ name: String = "output") -> [UInt8] { binary[name] ?? [] }

  func floats(_ name: String = "output") -> [Float] {
    guard let bytes = binary[name] else { return Answer.floats(output(name)["data"]) }
    func words(_ width: Int) -> [UInt64] {
      stride(from: 0, to: bytes.count, by: width).map { start in
        (0..<width).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
      }
    }
    switch datatype(name) {
    case "FP32": return words(4).map { Float(bitPattern: UInt32($0)) }
    case "FP16": return words(2).map { Float(Float16(bitPattern: UInt16($0))) }
    case "BF16": return words(2).map { Float(bitPattern: UInt32($0) << 16) }
    case "INT64": return words(8).map { Float(Int64(bitPattern: $0)) }
    default: return []
    }
  }
}
