"""The layer in PyTorch on the CPU.

f32, bf16: oneDNN's linear with the activation in it, on weights that are packed for the number of rows (what
torch.compile makes of a frozen model). int8: quantised linear with inputs quantised as they come. int4-groups: weights in
groups of 32 beside bf16 inputs.
"""

import os
import sys

os.environ["OMP_NUM_THREADS"] = sys.argv[4]

import numpy  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as functional  # noqa: E402

import turns  # noqa: E402


def prepacked(weights: turns.Weights, kind: torch.dtype):
    matrices = [torch.from_numpy(matrix).to(kind) for matrix in (weights.gate, weights.up, weights.down)]
    linear = torch.ops.mkldnn._linear_pointwise

    def prepare(rows: numpy.ndarray):
        x = torch.from_numpy(rows).to(kind)
        gate, up, down = (torch.ops.mkldnn._reorder_linear_weight(matrix, len(rows)) for matrix in matrices)

        def run():
            hidden = linear(x, gate, None, "swish", [], "") * linear(x, up, None, "none", [], "")
            return linear(hidden, down, None, "none", [], "").float().numpy()

        return run

    return prepare


def quantised(weights: turns.Weights):
    def pack(matrix: numpy.ndarray):
        values, scales = turns.by_output(matrix)
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        tensor = torch._make_per_channel_quantized_tensor(
            torch.from_numpy(values), torch.from_numpy(scales.astype(numpy.float64)), zeros, 0)
        return torch.ops.quantized.linear_prepack(tensor, None)

    gate, up, down = pack(weights.gate), pack(weights.up), pack(weights.down)
    linear = torch.ops.quantized.linear_dynamic

    def prepare(rows: numpy.ndarray):
        x = torch.from_numpy(rows)
        return lambda: linear(functional.silu(linear(x, gate)) * linear(x, up), down).numpy()

    return prepare


def in_groups(weights: turns.Weights):
    def pack(matrix: numpy.ndarray):
        values, scales = turns.by_group(matrix, 4)
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(
            torch.from_numpy(values.reshape(matrix.shape).astype(numpy.int32)), 1)
        scales = torch.from_numpy(scales.T.copy()).to(torch.bfloat16)  # [groups, outputs]
        return packed, torch.stack([scales, torch.zeros_like(scales)], dim=2).contiguous()

    gate, up, down = pack(weights.gate), pack(weights.up), pack(weights.down)

    def linear(x, packed):
        return torch.ops.aten._weight_int4pack_mm_for_cpu(x, packed[0], 32, packed[1])

    def prepare(rows: numpy.ndarray):
        x = torch.from_numpy(rows).to(torch.bfloat16)
        return lambda: linear(functional.silu(linear(x, gate)) * linear(x, up), down).float().numpy()

    return prepare


def make(weights: turns.Weights, variant: str, threads: int):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    try:
        if variant in ("f32", "bf16"):
            return prepacked(weights, torch.float32 if variant == "f32" else torch.bfloat16)
        if variant == "int8":
            return quantised(weights)
        if variant == "int4-groups":
            return in_groups(weights)
    except (AttributeError, RuntimeError) as error:
        raise turns.Unsupported(f"{variant}: {str(error).splitlines()[0]}") from error
    raise turns.Unsupported(f"no {variant} product on the CPU")


if __name__ == "__main__":
    turns.serve(torch.__version__.split("+")[0], make)
