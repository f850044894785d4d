import HTTP1

/// What a reader made of some octets, in one line a request, and how the octets were handed to it.
///
/// A request reads `METHOD path @authority "content"`, a refusal `! error`, an incomplete request `…`.
enum Transcript {
  /// How the octets arrive.
  enum Delivery {
    /// At once.
    case whole
    /// Each alone, the caller dropping what is done with, so that positions move.
    case byteByByte
    /// In pieces of these sizes, in turn.
    case pieces([Int])
  }

  static func of(
    _ octets: [UInt8], _ delivery: Delivery, limits: Limits = Limits(), contentLimit: Int? = nil
  ) -> [String] {
    var run = Run(limits: limits, contentLimit: contentLimit)
    switch delivery {
    case .whole: run.feed(octets[...])
    case .byteByByte: for index in octets.indices { run.feed(octets[index...index]) }
    case .pieces(let sizes):
      var rest = octets[...]
      for size in sizes + [octets.count] {
        run.feed(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
    }
    return run.finished()
  }

  private struct Run {
    var reader: RequestReader
    let contentLimit: Int?
    var buffer: [UInt8] = []
    var lines: [String] = []
    var current: String?
    var content: [UInt8] = []

    init(limits: Limits, contentLimit: Int?) {
      reader = RequestReader(limits: limits)
      self.contentLimit = contentLimit
    }

    mutating func feed(_ piece: ArraySlice<UInt8>) {
      buffer += piece
      var offset = 0
      while step(&offset) {}
      buffer.removeFirst(offset)
    }

    private mutating func step(_ offset: inout Int) -> Bool {
      let buffer = buffer
      switch reader.next(buffer.span.bytes, offset: &offset) {
      case .needsMoreInput: return false
      case .head(let head, _):
        current = "\(head.method) \(head.path) @\(head.authority ?? "")"
        if let contentLimit { reader.limitContent(to: contentLimit) }
      case .content(let range): content += buffer[range]
      case .end:
        lines.append("\(current ?? "?") \"\(String(decoding: content, as: UTF8.self))\"")
        current = nil
        content = []
      case .failed(let error):
        // A failed reader says the same for ever, and takes nothing more.
        if lines.last != "! \(error)" { lines.append("! \(error)") }
        return false
      }
      return true
    }

    func finished() -> [String] {
      let isOpen = lines.last?.hasPrefix("! ") != true && (current != nil || !reader.isIdle)
      return isOpen ? lines + ["…"] : lines
    }
  }
}

/// The octets of a text whose characters stand for one octet each: `"\u{FF}"` is 0xFF.
func octets(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
