import Foundation
import Testing

/// Every form of a tensor in, every form out.
@Suite struct EncodingTests {
  /// Exact in BF16 and FP16, so that all inputs are the same numbers.
  static let rows: [Float] = [0.5, -1, 2, 0.25, 1.5, 0.75, -0.5, -2, -0.125, 3, 0, 1]

  struct Form: Sendable, CustomTestStringConvertible {
    let encoding: String
    let datatype: String
    var testDescription: String { "\(encoding) \(datatype)" }

    func write(_ shape: [Int]) -> String {
      switch encoding {
      case "nested": return Golden.Values(shape: shape, floats: rows).nested
      case "flat": return #"{"shape":\#(shape),"datatype":"\#(datatype)","data":\#(rows)}"#
      default:
        let bytes = rows.flatMap { value -> [UInt8] in
          switch datatype {
          case "FP32": (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
          case "FP16": (0..<2).map { UInt8(truncatingIfNeeded: Float16(value).bitPattern >> (8 * $0)) }
          default: (2..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
          }
        }
        return #"{"datatype":"\#(datatype)","base64":"\#(Data(bytes).base64EncodedString())","shape":\#(shape)}"#
      }
    }
  }

  static let forms =
    [Form(encoding: "nested", datatype: "FP32")]
    + ["flat", "base64"].flatMap { encoding in
      ["FP32", "FP16", "BF16"].map { Form(encoding: encoding, datatype: $0) }
    }

  @Test(arguments: forms, [[12 / 4, 4], [1, 3, 4], [3, 1, 4]])
  func formsMeanTheSameNumbers(_ form: Form, _ shape: [Int]) async throws {
    let harness = try Harness()
    let reference = await harness.ffn(
      #"{"input":\#(Self.forms[0].write([3, 4])),"activations":["gate","hidden"]}"#)
    for encoding in ["", "nested", "flat", "base64"] {
      let asked = encoding.isEmpty ? "" : #","encoding":"\#(encoding)""#
      let answer = await harness.ffn(#"{"input":\#(form.write(shape)),"activations":["hidden","gate"]\#(asked)}"#)
      #expect(answer.status == 200)
      let outputForm = encoding.isEmpty ? form.encoding : encoding
      let output = answer.json["output"]
      #expect(Answer.shape(output) == shape)
      #expect((output is [Any]) == (outputForm == "nested"))
      let object = output as? [String: Any]
      switch outputForm {
      case "flat": #expect(object?["datatype"] as? String == "FP32")
      case "base64": #expect(object?["datatype"] as? String == form.datatype)
      default: break
      }
      let rounded = outputForm == "base64" ? form.datatype : "FP32"
      #expect(answer.output == reference.output.map { Self.round($0, rounded) })
      #expect(answer.activation("gate") == reference.activation("gate").map { Self.round($0, rounded) })
      #expect(answer.activation("hidden") == reference.activation("hidden").map { Self.round($0, rounded) })
    }
  }

  @Test(arguments: forms)
  func singleRowHasNoBatchDimension(_ form: Form) async throws {
    let harness = try Harness()
    let weights = #""variant":"glu","weights":{"gate_proj":\#(form.write([1, 12])),"up_proj":\#(form.write([1, 12]))}"#
    let answer = await harness.ffn(#"{\#(weights),"input":\#(form.write([12]))}"#)
    #expect(answer.status == 200)
    #expect(Answer.shape(answer.json["output"]) == [1])
    let square = Self.rows.reduce(0.0) { $0 + Double($1) * Double($1) }
    let expected = Float(square / (1 + exp(-square)))
    #expect(answer.output == [form.encoding == "base64" ? Self.round(expected, form.datatype) : expected])
  }

  /// To nearest, ties to even.
  static func round(_ value: Float, _ datatype: String) -> Float {
    switch datatype {
    case "FP16": return Float(Float16(value))
    case "BF16":
      let bits = value.bitPattern
      return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    default: return value
    }
  }
}
