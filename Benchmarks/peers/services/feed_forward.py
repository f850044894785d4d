"""The layer in a peer's engine: a callable from float32 [rows, d_model] to float32 [rows, d_model]."""

import json
import os
import struct

import numpy


def weights(path: str) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """gate_proj, up_proj and down_proj of a safetensors file of float32, [out, in] each."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    data = numpy.fromfile(path, dtype=numpy.uint8, offset=8 + length)

    def tensor(suffix: str) -> numpy.ndarray:
        entry = next(entry for name, entry in header.items() if name.endswith(suffix))
        first, end = entry["data_offsets"]
        return data[first:end].view(numpy.float32).reshape(entry["shape"])

    return tensor("gate_proj.weight"), tensor("up_proj.weight"), tensor("down_proj.weight")


def onnxruntime_layer(path: str, threads: int):
    """down(silu(gate x) · up x) as an ONNX graph, whose Sigmoid and Mul the runtime fuses."""
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    gate, up, down = weights(path)
    node = helper.make_node
    graph = helper.make_graph(
        [node("MatMul", ["x", "gate"], ["a"]), node("Sigmoid", ["a"], ["s"]), node("Mul", ["a", "s"], ["activated"]),
         node("MatMul", ["x", "up"], ["b"]), node("Mul", ["activated", "b"], ["hidden"]),
         node("MatMul", ["hidden", "down"], ["y"])],
        "ffn",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows", gate.shape[1]])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows", down.shape[0]])],
        [numpy_helper.from_array(numpy.ascontiguousarray(matrix.T), name)
         for name, matrix in (("gate", gate), ("up", up), ("down", down))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def openvino_layer(path: str, threads: int, precision: str):
    import openvino
    from openvino import opset13 as operation

    gate, up, down = (operation.constant(matrix) for matrix in weights(path))
    x = operation.parameter([-1, gate.shape[1]], numpy.float32)
    product = lambda operand, matrix: operation.matmul(operand, matrix, False, True)
    hidden = operation.multiply(operation.swish(product(x, gate)), product(x, up))
    model = openvino.Model([product(hidden, down)], [x])
    compiled = openvino.Core().compile_model(
        model, "CPU",
        {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision})
    request = compiled.create_infer_request()
    # The result is copied: micro-batches overlap with the printing of the one before.
    return lambda x: request.infer([x], share_inputs=True)[0].copy()


def from_environment():
    """The layer that ENGINE, PRECISION, THREADS and WEIGHTS name, warm."""
    path, threads = os.environ["WEIGHTS"], int(os.environ["THREADS"])
    if os.environ["ENGINE"] == "onnxruntime":
        layer = onnxruntime_layer(path, threads)
    else:
        layer = openvino_layer(path, threads, os.environ.get("PRECISION", "f32"))
    layer(numpy.zeros((1, weights(path)[0].shape[1]), numpy.float32))
    return layer
