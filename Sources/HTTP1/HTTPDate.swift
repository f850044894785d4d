/// The date format of HTTP, `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate, RFC 9110 §5.6.7).
package enum HTTPDate {
  /// The 29 octets for a time; a server makes them once a second.
  ///
  /// - Parameter seconds: since 1970-01-01 00:00:00 UTC; clamped to the years 1970…9999, which the format can hold.
  package static func octets(secondsSinceEpoch seconds: Int) -> [UInt8] {
    let seconds = min(max(seconds, 0), 253_402_300_799)
    let days = seconds / 86_400
    let second = seconds % 86_400
    let (year, month, day) = civil(days)
    // 1970-01-01 was a Thursday.
    let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][(days + 4) % 7]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let clock = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
    return Array("\(weekday), \(two(day)) \(months[month - 1]) \(two(year / 100))\(two(year % 100)) \(clock) GMT".utf8)
  }

  /// The Gregorian date of a day, counted in eras of 400 years that begin on a 1st of March, so that the day that comes
  /// and goes is the last of its year.
  private static func civil(_ daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
    // From 0000-03-01 to 1970-01-01 there are 719468 days, in an era 146097.
    let days = daysSinceEpoch + 719_468
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    // March is month 0; (153·m + 2) / 5 days lie before month m.
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let year = days / 146_097 * 400 + yearOfEra
    return month < 10 ? (year, month + 3, day) : (year + 1, month - 9, day)
  }

  private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
