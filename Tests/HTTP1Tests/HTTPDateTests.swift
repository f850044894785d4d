import Foundation
import HTTP1
import Testing

@Suite struct HTTPDateTests {
  @Test(arguments: [
    (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
    (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
  ])
  func date(_ seconds: Int, _ text: String) {
    #expect(String(decoding: HTTPDate.octets(secondsSinceEpoch: seconds), as: UTF8.self) == text)
  }

  /// Every day of two centuries, against Foundation's calendar.
  @Test func days() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    for day in 0..<73_049 {
      let seconds = day * 86_400 + day % 86_400
      let text = String(decoding: HTTPDate.octets(secondsSinceEpoch: seconds), as: UTF8.self)
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      guard text == expected else { return #expect(text == expected) }
    }
  }
}
