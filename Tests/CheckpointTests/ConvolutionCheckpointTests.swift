import Checkpoint
import FeedForward
import Testing

/// Gated convolutions in files of their own: names, metadata, and what is refused.
@Suite struct ConvolutionCheckpointTests {
  static let file = "conv.safetensors"

  static func open(_ tensors: [TensorFixture], metadata: [String: String] = [:]) throws -> Checkpoint {
    let directory = try ModelDirectory()
    try directory.write(file, SafetensorsWriter.file(tensors, metadata: metadata))
    return try directory.open(file)
  }

  static func stack(_ checkpoint: Checkpoint) -> ConvolutionStackWeights? {
    if case .convolution(let stack) = checkpoint.layers[0].weights { stack } else { nil }
  }

  static let kernel = TensorFixture("conv.weight", [6, 2, 4])

  @Test func oneConvolution() throws {
    let checkpoint = try Self.open([Self.kernel, TensorFixture("conv.bias", [6]), TensorFixture("input", [3])])
    #expect(checkpoint.family == "gated_conv")
    #expect(checkpoint.rule == "conv[first half] x·σ(conv[second half] x), causal")
    #expect(checkpoint.notes == ["the metadata names no variant: glu"])
    let layer = try #require(checkpoint.layers.first)
    #expect((layer.name, layer.dModel, layer.dFF, layer.storedType) == ("conv", 2, 3, "F32"))
    #expect(layer.storedBytes == (48 + 6) * 4)
    let stack = try #require(Self.stack(checkpoint))
    #expect(stack.layers.count == 1 && stack.blocks.isEmpty)
    #expect(stack.layers[0].gate == .glu && stack.layers[0].kernel.width == 4 && stack.layers[0].bias?.count == 6)
  }

  @Test func gatedTanhFromTheMetadata() throws {
    let checkpoint = try Self.open([Self.kernel.stored(as: "BF16")], metadata: ["variant": "gtu"])
    #expect(checkpoint.notes.isEmpty && checkpoint.layers[0].storedType == "BF16")
    #expect(Self.stack(checkpoint)?.layers[0].gate == .gtu)
    #expect(checkpoint.rule == "tanh(conv[first half] x)·σ(conv[second half] x), causal")
  }

  @Test(arguments: [
    ("conv.weight_v", "conv.weight_g"),
    ("conv.parametrizations.weight.original1", "conv.parametrizations.weight.original0"),
  ])
  func weightNorm(_ direction: String, _ magnitude: String) throws {
    let checkpoint = try Self.open([TensorFixture(direction, [6, 2, 4]), TensorFixture(magnitude, [6, 1, 1])])
    #expect(Self.stack(checkpoint)?.layers[0].magnitude?.count == 6)
    #expect(throws: CheckpointError.self) { try Self.open([TensorFixture(direction, [6, 2, 4])]) }
    // Over the taps, as `dim=2` has it, and over everything: other normalisations.
    for shape in [[1, 1, 4], [6], []] {
      #expect(
        throws: CheckpointError.misshapenTensor(name: magnitude, expected: "[6, 1, 1]", found: shape)
      ) { try Self.open([TensorFixture(direction, [6, 2, 4]), TensorFixture(magnitude, shape)]) }
    }
  }

  static func layers(_ sizes: [(Int, Int)]) -> [TensorFixture] {
    sizes.enumerated().map { TensorFixture("layers.\($0).conv.weight", [2 * $1.1, $1.0, 3]) }
  }

  @Test func stacks() throws {
    let checkpoint = try Self.open(Self.layers([(4, 2), (2, 4), (4, 4), (4, 6)]))
    let stack = try #require(Self.stack(checkpoint))
    #expect(checkpoint.layers.count == 1 && checkpoint.layers[0].name == "layers")
    #expect((checkpoint.layers[0].dModel, checkpoint.layers[0].dFF) == (4, 6))
    #expect(stack.blocks == [0..<2, 2..<3])
    #expect(
      checkpoint.rule == "4 layers of conv[first half] x·σ(conv[second half] x), causal; 2 residual blocks")
    let plain = try Self.open(Self.layers([(4, 4), (4, 4)]), metadata: ["variant": "glu", "residual": "none"])
    #expect(Self.stack(plain)?.blocks == [])
    #expect(plain.rule.hasSuffix("; no residuals"))
  }

  @Test func whatIsRefused() {
    func refuses(_ error: CheckpointError, _ tensors: [TensorFixture], metadata: [String: String] = [:]) {
      #expect(throws: error) { try Self.open(tensors, metadata: metadata) }
    }
    // A gap is no shorter stack.
    refuses(
      .missingTensor(
        name: "layers.1.conv.weight", expected: "[2·channels_out, channels_in, k]",
        found: ["layers.0.conv.weight", "layers.2.conv.weight"]),
      [TensorFixture("layers.0.conv.weight", [4, 2, 1]), TensorFixture("layers.2.conv.weight", [4, 2, 1])])
    refuses(
      .misshapenTensor(name: "conv.weight", expected: "[2·channels_out, channels_in, k]", found: [6, 2]),
      [TensorFixture("conv.weight", [6, 2])])
    refuses(
      .misshapenTensor(name: "conv.bias", expected: "[6]", found: [3]), [Self.kernel, TensorFixture("conv.bias", [3])])
    func path(_ error: any Error) -> ConvolutionError? {
      if case .convolution(_, let flaw) = error as? CheckpointError { flaw } else { nil }
    }
    for (tensors, metadata, flaw) in [
      ([TensorFixture("conv.weight", [5, 2, 1])], [:], ConvolutionError.oddOutputs(5)),
      ([TensorFixture("conv.weight", [2, 1, 1025])], [:], .width(1025, limit: 1024)),
      ([Self.kernel], ["variant": "swiglu"], .gate(.swiglu)),
      (Self.layers([(2, 4), (2, 2)]), [:], .channels(layer: 1, found: 2, expected: 4)),
    ] {
      do {
        _ = try Self.open(tensors, metadata: metadata)
        Issue.record("\(flaw) is served")
      } catch {
        #expect(path(error) == flaw)
      }
    }
    for metadata in [["variant": "gelu"], ["residual": "yes"]] {
      #expect(throws: CheckpointError.self) { try Self.open([Self.kernel], metadata: metadata) }
    }
  }
}
