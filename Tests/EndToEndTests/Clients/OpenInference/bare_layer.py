"""A checkpoint of one layer, written without any library."""

import array
import json
import os
import struct


def write_layer(path, d_model, d_ff, scale):
    """Puts a bilinear layer at `path` by renaming: gate and up are 1/d_model everywhere, down is `scale`/d_ff.

    Every number of its output is scale·mean(x)², so that an answer says which file it came from.
    """
    header, parts, start = {"__metadata__": {"variant": "bilinear"}}, [], 0
    shapes = {"gate_proj": (d_ff, d_model), "up_proj": (d_ff, d_model), "down_proj": (d_model, d_ff)}
    for name, shape in shapes.items():
        value = scale / d_ff if name == "down_proj" else 1 / d_model
        parts.append(array.array("f", [value]) * (shape[0] * shape[1]))
        end = start + 4 * len(parts[-1])
        header[f"{name}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for part in parts:
            part.tofile(file)
    os.rename(path + ".part", path)
