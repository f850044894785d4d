// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same language: Swift 6, no warning tolerated, nothing re-exported by accident.
let language: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// Rooms without a single unsafe expression say so to the compiler.
let memorySafe = language + [.strictMemorySafety()]

let c: [CSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
  name: "sluice",
  products: [.executable(name: "sluice", targets: ["sluice"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // The arrows of docs/architecture.md; `make boundaries` holds the imports to them.
    .executableTarget(
      name: "sluice",
      dependencies: [
        "InferenceAPI", "HTTPServer", "HTTP1", "Batching", "FeedForward", "Checkpoint", "TensorCoding", "Metrics",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: language),
    .target(
      name: "InferenceAPI",
      dependencies: ["Batching", "FeedForward", "Checkpoint", "TensorCoding", "Metrics", "HTTP1"],
      resources: [.embedInCode("openapi.yaml")],
      swiftSettings: language),
    .target(name: "Batching", swiftSettings: memorySafe),
    .target(name: "FeedForward", dependencies: ["CKernels"], swiftSettings: language),
    .target(name: "Checkpoint", dependencies: ["FeedForward", "TensorCoding", "CMapping"], swiftSettings: language),
    .target(name: "TensorCoding", dependencies: ["CDecimals"], swiftSettings: language),
    .target(name: "Metrics", swiftSettings: memorySafe),
    .target(name: "HTTPServer", dependencies: ["HTTP1", "CSystem", "COpenSSL", "CZlib"], swiftSettings: language),
    .target(name: "HTTP1", swiftSettings: language),

    // What `make bench` runs: figures, never tests.
    .executableTarget(
      name: "sluice-benchmarks",
      dependencies: [
        "InferenceAPI", "Batching", "Metrics", "TensorCoding", "FeedForward", "HTTPServer", "HTTP1",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks",
      exclude: ["peers"],
      swiftSettings: language),

    .target(name: "CKernels", cSettings: c),
    .target(name: "CDecimals", cSettings: c),
    .target(name: "CMapping", cSettings: c),
    .target(name: "CSystem", cSettings: c),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1"], swiftSettings: language),
    .testTarget(name: "HTTPServerTests", dependencies: ["HTTPServer", "HTTP1"], swiftSettings: language),
    .testTarget(
      name: "TensorCodingTests", dependencies: ["TensorCoding"], resources: [.copy("Fixtures")],
      swiftSettings: language),
    .testTarget(
      name: "FeedForwardTests", dependencies: ["FeedForward", "CKernels"], resources: [.copy("Fixtures")],
      swiftSettings: language),
    .testTarget(name: "BatchingTests", dependencies: ["Batching"], swiftSettings: language),
    .testTarget(name: "MetricsTests", dependencies: ["Metrics"], swiftSettings: language),
    .testTarget(
      name: "CheckpointTests", dependencies: ["Checkpoint", "FeedForward", "TensorCoding"],
      resources: [.copy("Fixtures")], swiftSettings: language),
    .testTarget(
      name: "InferenceAPITests",
      dependencies: ["InferenceAPI", "Batching", "FeedForward", "Checkpoint", "TensorCoding", "Metrics", "HTTP1"],
      resources: [.copy("Fixtures")], swiftSettings: language),
    .testTarget(
      name: "EndToEndTests", dependencies: ["sluice"], resources: [.copy("Clients")], swiftSettings: language),
  ],
  swiftLanguageModes: [.v6]
)
