import Checkpoint
import FeedForward
import HTTPServer
import InferenceAPI

/// Why the program does not start: one line that names what is wrong, and the exit code that says whose affair it is
/// (sysexits.h).
enum StartError: Error {
  case variable(name: String, value: String, reason: String)
  case usage(String)
  case kernels(KernelsError)
  /// Of the flags that say where models are and which of their layers are served.
  case models(CheckpointError)
  case store(ModelStoreError)
  case tls(TLSConfigurationError)
  case listen(ListenError)
  case keys(KeyFileError)
  /// Of `inspect`, which gives no names.
  case inspection(CheckpointError)
  /// Of `bench`: what there is no memory for.
  case benchmark(String)
  /// Of `load-test`: nobody answers there.
  case unreachable(String)
  case unreadable(String)

  var exitCode: Int32 {
    switch self {
    case .variable, .usage, .kernels: Self.wrongUsage
    case .models(let error), .inspection(let error): error.exitCode
    case .store(let error): error.exitCode
    case .tls(.unreadable), .keys(.unreadable), .unreadable: Self.unreadableInput
    case .tls, .keys: Self.refusedData
    case .listen(.resources), .benchmark: Self.systemError
    case .listen, .unreachable: Self.unavailable
    }
  }

  static let wrongUsage: Int32 = 64
  static let refusedData: Int32 = 65
  static let unreadableInput: Int32 = 66
  static let unavailable: Int32 = 69
  static let softwareError: Int32 = 70
  static let systemError: Int32 = 71
}

extension StartError: CustomStringConvertible {
  var description: String {
    switch self {
    case .variable(let name, let value, let reason): "\(name)=\(value): \(reason)"
    case .usage(let text): text
    case .kernels(.unavailable(let name, let available)):
      "--kernels \(name): this machine has \(available.joined(separator: ", "))"
    case .models(let error): "\(error)"
    case .store(let error): "\(error)"
    case .tls(let error): "\(error)"
    case .listen(let error): "\(error)"
    case .keys(let error): "--api-keys \(error)"
    case .inspection(let error): "\(error)"
    case .benchmark(let text), .unreachable(let text), .unreadable(let text): text
    }
  }
}

extension CheckpointError {
  /// 66 where a file could not be read, 64 where the command line asked for what is not there, else 65: what was read
  /// is refused.
  var exitCode: Int32 {
    switch self {
    case .unreadable, .notARegularFile, .noWeights: StartError.unreadableInput
    case .unwritable: StartError.systemError
    case .layerSelection, .layerOutOfRange, .expertSelection, .expertOutOfRange: StartError.wrongUsage
    case .tooLarge, .shrunk, .noConfiguration, .safetensors, .malformedJSON, .missingMember, .duplicateMember,
      .shardOutsideDirectory, .tensorNotInShard, .refusedFamily, .unknownFamily, .unsupportedActivation,
      .unknownVariant, .variantParameter, .noLayers, .ambiguousLayers, .missingTensor, .misshapenTensor,
      .unsupportedElementType, .contradiction, .mixture, .convolution:
      StartError.refusedData
    }
  }
}

extension ModelStoreError {
  var exitCode: Int32 {
    switch self {
    case .duplicateModel, .invalidName, .unknownModel, .notLoaded: StartError.wrongUsage
    case .superseded: StartError.unavailable
    case .checkpoint(_, let error): error.exitCode
    case .layer(_, _, .outOfMemory): StartError.systemError
    case .layer: StartError.refusedData
    case .mixture(_, _, .layer(_, .outOfMemory)): StartError.systemError
    case .mixture: StartError.refusedData
    case .convolution(_, _, .outOfMemory): StartError.systemError
    case .convolution: StartError.refusedData
    case .selfCheck: StartError.softwareError
    }
  }
}
