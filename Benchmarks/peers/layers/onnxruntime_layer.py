"""The layer in ONNX Runtime on the CPU.

f32: MatMul. int8: MatMulIntegerToFloat on inputs quantised as they come, weights with a scale per output. int8-groups and
int4-groups: MatMulNBits in groups of 32, computed in int8 (accuracy level 4).
"""

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import turns

CONTRIBUTED = "com.microsoft"


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []

    def node(self, operator: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def constant(self, name: str, values: numpy.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    def quantised(self, x: str) -> list[str]:
        outputs = [f"{x}_q", f"{x}_scale", f"{x}_zero"]
        self.node("DynamicQuantizeLinear", [x], outputs)
        return outputs

    def linear(self, variant: str, name: str, x: str, quantised: list[str], matrix: numpy.ndarray) -> str:
        outputs, terms = matrix.shape
        if variant == "f32":
            return self.node("MatMul", [x, self.constant(name, matrix.T)], [f"{name}_y"])
        if variant == "int8":
            values, scales = turns.by_output(matrix)
            weights = [self.constant(name, values.T), self.constant(f"{name}_s", scales),
                       self.constant(f"{name}_z", numpy.zeros(outputs, numpy.int8))]
            inputs = [quantised[0], weights[0], quantised[1], weights[1], quantised[2], weights[2]]
            return self.node("MatMulIntegerToFloat", inputs, [f"{name}_y"], CONTRIBUTED)
        bits = 4 if variant == "int4-groups" else 8
        values, scales = turns.by_group(matrix, bits)
        packed = turns.nibbles(values) if bits == 4 else values
        inputs = [x, self.constant(name, packed), self.constant(f"{name}_s", scales.reshape(-1))]
        return self.node("MatMulNBits", inputs, [f"{name}_y"], CONTRIBUTED, K=terms, N=outputs, bits=bits,
                         block_size=32, accuracy_level=4)


def make(weights: turns.Weights, variant: str, threads: int):
    if variant not in ("f32", "int8", "int8-groups", "int4-groups"):
        raise turns.Unsupported(f"no {variant} product on the CPU")
    graph = Graph()
    x = graph.quantised("x") if variant == "int8" else []
    gate = graph.linear(variant, "gate", "x", x, weights.gate)
    up = graph.linear(variant, "up", "x", x, weights.up)
    swish = graph.node("Mul", [gate, graph.node("Sigmoid", [gate], ["sigmoid"])], ["swish"])
    hidden = graph.node("Mul", [swish, up], ["hidden"])
    h = graph.quantised(hidden) if variant == "int8" else []
    y = graph.linear(variant, "down", hidden, h, weights.down)
    d_model = weights.down.shape[0]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", d_model])],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, ["rows", d_model])], graph.weights),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(CONTRIBUTED, 1)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda rows: lambda: session.run(None, {"x": rows})[0]


if __name__ == "__main__":
    turns.serve(onnxruntime.__version__, make)
