"""The layer in OpenVINO on the CPU, with its hint for latency.

f32, bf16: products in that precision. int8: weights with a scale per output; int4-groups: in groups of 32; both with
the precision and the quantisation of inputs that OpenVINO chooses for this processor.
"""

import numpy
import openvino
from openvino import opset13 as operators

import turns


def linear(variant: str, x, matrix: numpy.ndarray):
    outputs, terms = matrix.shape
    if variant in ("f32", "bf16"):
        return operators.matmul(x, operators.constant(matrix), False, True)
    if variant == "int8":
        values, scales = turns.by_output(matrix)
        weights = operators.multiply(
            operators.convert(operators.constant(values), numpy.float32), operators.constant(scales[:, None]))
        return operators.matmul(x, weights, False, True)
    values, scales = turns.by_group(matrix, 4)
    packed = openvino.Tensor(openvino.Type.u4, list(values.shape))
    packed.data[:] = turns.nibbles(values).reshape(packed.data.shape)
    middle = openvino.Tensor(openvino.Type.u4, [outputs, values.shape[1], 1])
    middle.data[:] = 0x88
    centred = operators.subtract(
        operators.convert(operators.constant(packed), numpy.float32),
        operators.convert(operators.constant(middle), numpy.float32))
    weights = operators.multiply(centred, operators.constant(scales[:, :, None]))
    whole = operators.reshape(weights, numpy.array([outputs, terms], numpy.int64), False)
    return operators.matmul(x, whole, False, True)


def make(weights: turns.Weights, variant: str, threads: int):
    if variant not in ("f32", "bf16", "int8", "int4-groups"):
        raise turns.Unsupported(f"no {variant} product on the CPU")
    x = operators.parameter([-1, weights.down.shape[0]], numpy.float32, name="x")
    hidden = operators.multiply(operators.swish(linear(variant, x, weights.gate)), linear(variant, x, weights.up))
    properties = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if variant in ("f32", "bf16"):
        properties["INFERENCE_PRECISION_HINT"] = variant
    model = openvino.Model([linear(variant, hidden, weights.down)], [x], "layer")
    compiled = openvino.Core().compile_model(model, "CPU", properties)
    if variant == "bf16" and compiled.get_property("INFERENCE_PRECISION_HINT") != openvino.Type.bf16:
        raise turns.Unsupported("no bf16 products on this processor")
    request = compiled.create_infer_request()

    def prepare(rows: numpy.ndarray):
        request.set_input_tensor(openvino.Tensor(numpy.ascontiguousarray(rows)))

        def run():
            request.infer()
            return request.get_output_tensor().data

        return run

    return prepare


if __name__ == "__main__":
    turns.serve(openvino.__version__.split("-")[0], make)
