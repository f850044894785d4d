#!/usr/bin/env python3
"""Writes a mixture of four experts into a directory, as Mixtral is published: config.json and one safetensors file.

    examples/make-mixture.py OUT

Rows of 4 numbers, experts of width 6, two of them for a row. Element i of tensor number t, counted over the file in the
order of the names below, is ((5*i + 3*t + 1) mod 13 - 6) / 8: exact in every datatype.
"""

import json
import os
import struct
import sys

D_MODEL, D_FF, EXPERTS = 4, 6, 4
PREFIX = "model.layers.0.block_sparse_moe."


def main(directory):
    tensors = [("gate.weight", [EXPERTS, D_MODEL])]
    for expert in range(EXPERTS):
        tensors += [(f"experts.{expert}.w1.weight", [D_FF, D_MODEL]), (f"experts.{expert}.w2.weight", [D_MODEL, D_FF]),
                    (f"experts.{expert}.w3.weight", [D_FF, D_MODEL])]
    header, data = {}, b""
    for place, (name, shape) in enumerate(tensors):
        values = [((5 * i + 3 * place + 1) % 13 - 6) / 8 for i in range(shape[0] * shape[1])]
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[PREFIX + name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"model_type": "mixtral", "hidden_size": D_MODEL, "intermediate_size": D_FF, "hidden_act": "silu",
                   "num_local_experts": EXPERTS, "num_experts_per_tok": 2, "num_hidden_layers": 1}, file)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
