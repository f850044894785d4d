"""A small mixture in the layout in which Mixtral is published, for the checks that spread its experts."""

import json
import pathlib
import random
import struct

D_MODEL, D_FF, EXPERTS, TOP_K = 16, 32, 8, 2
LAYER = "model.layers.0.block_sparse_moe"


def write(folder: pathlib.Path) -> None:
    """One layer of `EXPERTS` experts in float32, uniform numbers from a fixed seed."""
    generator = random.Random(8)
    shapes = {f"{LAYER}.gate.weight": (EXPERTS, D_MODEL)}
    for expert in range(EXPERTS):
        prefix = f"{LAYER}.experts.{expert}"
        shapes |= {f"{prefix}.w1.weight": (D_FF, D_MODEL), f"{prefix}.w2.weight": (D_MODEL, D_FF),
                   f"{prefix}.w3.weight": (D_FF, D_MODEL)}
    header, content = {}, b""
    for name, (rows, columns) in shapes.items():
        numbers = [generator.uniform(-0.5, 0.5) for _ in range(rows * columns)]
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        place = [len(content), len(content) + len(packed)]
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": place}
        content += packed
    text = json.dumps(header).encode()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content)
    (folder / "config.json").write_text(json.dumps({
        "model_type": "mixtral", "hidden_size": D_MODEL, "intermediate_size": D_FF, "num_hidden_layers": 1,
        "num_local_experts": EXPERTS, "num_experts_per_tok": TOP_K, "hidden_act": "silu"}))


def rows(count: int) -> list[list[float]]:
    generator = random.Random(count)
    return [[round(generator.uniform(-2, 2), 3) for _ in range(D_MODEL)] for _ in range(count)]
