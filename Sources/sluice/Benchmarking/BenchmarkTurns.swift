import FeedForward
import Glibc
import TensorCoding

/// One layer that is measured on demand, by a script that measures other programs in between.
///
/// Each line `ROWS SECONDS` on standard input is one turn, answered on standard output by a line
/// `{"record":"turn","rows":8,"passes":120,"median_us":161.2,"least_us":158.9}`. The first answer, without a question,
/// is `{"record":"ready"}`. The end of the input is the end.
struct BenchmarkTurns {
  let rounds: LayerRounds

  /// - Throws: `.usage` for a line that is no turn of these rows.
  func answer() throws(StartError) {
    line { writer in
      writer.member("record")
      writer.string("ready")
    }
    let known = Set(rounds.passes.map(\.rows))
    while let question = readLine() {
      let words = question.split(separator: " ")
      guard words.count == 2, let rows = Int(words[0]), known.contains(rows), let seconds = Double(words[1]),
        (0...3600).contains(seconds)
      else { throw .usage("--turns: not rows of --rows and seconds: \(question)") }
      let nanoseconds = rounds.turn(rows: rows, seconds: seconds)
      guard let time = Quartiles(nanoseconds) else { continue }
      line { writer in
        writer.member("record")
        writer.string("turn")
        writer.member("rows")
        writer.integer(rows)
        writer.member("passes")
        writer.integer(nanoseconds.count)
        writer.member("median_us")
        writer.float(Float(time.median / 1000))
        writer.member("least_us")
        writer.float(Float(time.least / 1000))
      }
    }
  }

  private func line(_ members: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    writer.object(members)
    print(String(decoding: writer.text, as: UTF8.self))
    fflush(nil)
  }
}
