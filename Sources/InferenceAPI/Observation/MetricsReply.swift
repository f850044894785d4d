internal import HTTP1
internal import Metrics

extension InferenceAPI {
  /// GET /metrics: everything that is counted, printed aside: reading the process's state takes longer than an I/O
  /// queue may be held, and a worker may be busy just when somebody wants to know why.
  func answerMetrics(_ call: Call) {
    let format = ExpositionFormat(accept: call.fields.list(.accept))
    configuration.aside { [self] in
      var response = Response(.ok, [.contentType: format.contentType], body: registry.render(format))
      response.fields.append(.vary, "Accept")
      call.answer(response)
    }
  }
}

extension ExpositionFormat {
  /// OpenMetrics where a scraper names it and does not prefer plain text, else the text that every scraper and person
  /// reads: also where neither would be accepted, which a server may disregard (RFC 9110, section 12.4.1).
  ///
  /// - Parameter accept: the elements of `Accept`.
  init(accept: [String]) {
    var openMetrics = 0
    var plain = 0
    for element in accept {
      guard let range = MediaRange(element) else { continue }
      switch range.type {
      case "application/openmetrics-text" where range.version == nil || range.version == "1.0.0":
        openMetrics = max(openMetrics, range.weight)
      case "text/plain", "text/*", "*/*": plain = max(plain, range.weight)
      default: break
      }
    }
    self = openMetrics > 0 && openMetrics >= plain ? .openMetrics : .prometheus
  }
}

/// One element of `Accept` (RFC 9110, section 12.5.1).
private struct MediaRange {
  /// In lower case.
  let type: String
  let version: String?
  /// Thousandths, 0 to 1000.
  let weight: Int

  /// nil for an element whose weight breaks the grammar.
  init?(_ element: String) {
    let parts = element.split(separator: ";", omittingEmptySubsequences: false).map { part in
      String(part.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()).lowercased()
    }
    type = parts[0]
    version = parts.dropFirst().first { $0.hasPrefix("version=") }.map { String($0.dropFirst("version=".count)) }
    guard let quality = parts.dropFirst().first(where: { $0.hasPrefix("q=") }) else {
      weight = 1000
      return
    }
    guard let number = Double(quality.dropFirst(2)), (0...1).contains(number) else { return nil }
    weight = Int(number * 1000)
  }
}
