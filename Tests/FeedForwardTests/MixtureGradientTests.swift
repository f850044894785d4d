import FeedForward
import Testing

@Suite struct MixtureGradientTests {
  static let routings: [Routing] = [
    .softmax(renormalised: true), .softmax(renormalised: false), .softmaxOfChosen,
    .softmaxInGroups(groups: 3, kept: 2, scale: 1.5),
    .sigmoid(groups: 3, kept: 2, renormalised: true, scale: 2.5),
    .sigmoid(groups: 1, kept: 1, renormalised: true, scale: 1, floor: 1e-6),
    .sigmoid(groups: 1, kept: 1, renormalised: false, scale: 0.75),
  ]

  /// Every gradient of every routing, by central differences of the formula in float64 with the experts that the engine
  /// chose.
  @Test(arguments: routings, [Gate.swiglu, .swigluClamped(alpha: 1.702, limit: 1)])
  func agreesWithCentralDifferences(_ routing: Routing, _ gate: Gate) throws {
    var random = SplitMix(seed: 21)
    let numbers = MixtureNumbers.random(routing, gate, random: &random)
    let mixture = try numbers.packed()
    let rows = 5
    let input = random.floats(rows * mixture.dIn, scale: 1.5)
    let gradOutput = random.floats(rows * mixture.dOut, scale: 1)
    let found = try mixture.differentiate(at: input, gradOutput: gradOutput)
    let forward = mixture.apply(to: input)
    #expect(found.output == forward.output)
    let chosen = (0..<rows).map { row in
      forward.indices[(row * mixture.topK)..<((row + 1) * mixture.topK)].map { Int($0) }
    }
    func loss(_ numbers: MixtureNumbers, _ input: [Double]) -> Double {
      var sum = 0.0
      for row in 0..<rows {
        let x = Array(input[(row * mixture.dIn)..<((row + 1) * mixture.dIn)])
        for (place, y) in numbers.apply(to: x, experts: chosen[row]).enumerated() {
          sum += y * Double(gradOutput[row * mixture.dOut + place])
        }
      }
      return sum
    }
    let h = 1e-5
    let wide = input.map(Double.init)
    let slopes = wide.indices.map { index in
      var (above, below) = (wide, wide)
      above[index] += h
      below[index] -= h
      return (loss(numbers, above) - loss(numbers, below)) / (2 * h)
    }
    #expect(GradientTests.isClose(found.input, slopes))
    #expect(Set(found.weights.keys) == Set(numbers.tensors.keys).subtracting(["correction"]))
    for (name, gradient) in found.weights {
      let slopes = gradient.indices.map { index in
        var (above, below) = (numbers, numbers)
        above.tensors[name]![index] += h
        below.tensors[name]![index] -= h
        return (loss(above, wide) - loss(below, wide)) / (2 * h)
      }
      #expect(GradientTests.isClose(gradient, slopes), "\(name)")
    }
  }

  /// Experts of the caller's choice: their weights have a gradient, and router, shared expert and bias no part in it.
  @Test func chosenExpertsAreDifferentiated() throws {
    var random = SplitMix(seed: 31)
    let numbers = MixtureNumbers.random(.softmaxOfChosen, .swiglu, random: &random)
    let mixture = try numbers.packed()
    let indices: [Float] = [4, 0, 1, 2, 5, 0]
    let weights: [Float] = [0.5, 0, 1.25, 2, 0.1, 0.4]
    let input = random.floats(2 * mixture.dIn, scale: 1.5)
    let gradOutput = random.floats(2 * mixture.dOut, scale: 1)
    let found = try mixture.differentiate(at: input, gradOutput: gradOutput, chosen: (indices, weights))
    func loss(_ input: [Double], _ weights: [Double]) -> Double {
      var sum = 0.0
      for route in 0..<6 {
        let row = route / 3
        let x = Array(input[(row * mixture.dIn)..<((row + 1) * mixture.dIn)])
        for (place, y) in numbers.expert("experts.\(Int(indices[route]))", x).enumerated() {
          sum += weights[route] * y * Double(gradOutput[row * mixture.dOut + place])
        }
      }
      return sum
    }
    let (wideInput, wideWeights) = (input.map(Double.init), weights.map(Double.init))
    func slopes(_ values: [Double], _ loss: ([Double]) -> Double) -> [Double] {
      values.indices.map { index in
        var (above, below) = (values, values)
        above[index] += 1e-5
        below[index] -= 1e-5
        return (loss(above) - loss(below)) / 2e-5
      }
    }
    #expect(GradientTests.isClose(found.input, slopes(wideInput) { loss($0, wideWeights) }))
    #expect(GradientTests.isClose(found.chosenWeights, slopes(wideWeights) { loss(wideInput, $0) }))
    #expect(found.weights.keys.allSatisfy { $0.hasPrefix("experts.") })
    // Nobody went to expert 3.
    #expect(found.weights["experts.3.gate_proj"]!.allSatisfy { $0 == 0 })
  }

  /// Beyond a chunk of rows and of an expert's rows, each row alone gives the bits that it has among all.
  @Test(arguments: [Routing.softmax(renormalised: true), .sigmoid(groups: 3, kept: 2, renormalised: true, scale: 2.5)])
  func sameRowSameBits(_ routing: Routing) throws {
    var random = SplitMix(seed: 41)
    let mixture = try MixtureNumbers.random(routing, .swiglu, random: &random).packed()
    let rows = MixtureLayer.chunkRows + 40
    let input = random.floats(rows * mixture.dIn, scale: 1.5)
    let gradOutput = random.floats(rows * mixture.dOut, scale: 1)
    let team = Team(threads: 3)
    defer { team.dismiss() }
    let all = try mixture.differentiate(at: input, gradOutput: gradOutput, team: team)
    for row in [0, 1, 255, 256, 700, MixtureLayer.chunkRows - 1, MixtureLayer.chunkRows, rows - 1] {
      func of(_ values: [Float], _ width: Int) -> [Float] { Array(values[(row * width)..<((row + 1) * width)]) }
      let alone = try mixture.differentiate(at: of(input, mixture.dIn), gradOutput: of(gradOutput, mixture.dOut))
      #expect(alone.input == of(all.input, mixture.dIn))
      #expect(alone.output == of(all.output, mixture.dOut))
    }
    // The gradients of weights go on from chunk to chunk: the whole is the sum of its halves.
    let half = rows / 2
    let first = try mixture.differentiate(
      at: Array(input[..<(half * mixture.dIn)]), gradOutput: Array(gradOutput[..<(half * mixture.dOut)]))
    let second = try mixture.differentiate(
      at: Array(input[(half * mixture.dIn)...]), gradOutput: Array(gradOutput[(half * mixture.dOut)...]))
    for (name, gradient) in all.weights {
      let sum = zip(first.weights[name]!, second.weights[name]!).map { Double($0) + Double($1) }
      #expect(GradientTests.isClose(gradient, sum), "\(name)")
    }
  }

  /// Experts that are not here add nothing, and their weights have no say.
  @Test func aPartOfTheExperts() throws {
    var random = SplitMix(seed: 51)
    let numbers = MixtureNumbers.random(.softmaxOfChosen, .swiglu, random: &random)
    let mixture = try numbers.packed(held: [1, 2, 4])
    let (indices, weights): ([Float], [Float]) = ([1, 3, 0], [0.5, 0.25, 1])
    let input = random.floats(mixture.dIn, scale: 1.5)
    let gradOutput = random.floats(mixture.dOut, scale: 1)
    let found = try mixture.differentiate(at: input, gradOutput: gradOutput, chosen: (indices, weights))
    let one = try mixture.differentiate(at: input, gradOutput: gradOutput, chosen: ([1], [0.5]))
    #expect(found.input == one.input && found.output == one.output)
    #expect(found.chosenWeights == one.chosenWeights + [0, 0])
  }

  /// Transposed weights of experts and router are made by the first gradient, once, and counted.
  @Test func transposedWeightsAreCounted() throws {
    var random = SplitMix(seed: 61)
    let mixture = try MixtureNumbers.random(.softmaxOfChosen, .swiglu, random: &random).packed()
    let before = mixture.residentBytes
    let input = random.floats(20 * mixture.dIn, scale: 1)
    let gradOutput = random.floats(20 * mixture.dOut, scale: 1)
    let first = try mixture.differentiate(at: input, gradOutput: gradOutput)
    let after = mixture.residentBytes
    #expect(after > before)
    #expect(try mixture.differentiate(at: input, gradOutput: gradOutput) == first)
    #expect(mixture.residentBytes == after)
  }
}
