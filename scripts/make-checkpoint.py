#!/usr/bin/env python3
"""Writes a checkpoint in the layout in which Llama models are published: config.json and one or several safetensors
shards, of any size, from a rule instead of from training.

    scripts/make-checkpoint.py OUT                        # one layer of the size of Llama 3.2 1B's, float32, one file
    scripts/make-checkpoint.py OUT --layers 16 --dtype BF16 --shards 2
    scripts/make-checkpoint.py OUT --d-model 64 --d-ff 160 --bias

Element i of a tensor, row-major, is (splitmix64(seed + (i + 1) * 0x9E3779B97F4A7C15) >> 40) * 2^-23 - 1, times a
scale: uniform in [-scale, scale), exact in float32. Layer n's gate_proj, up_proj and down_proj have the seeds 16n + 1,
16n + 2 and 16n + 3, their biases 16n + 5, 16n + 6 and 16n + 7. The scale is 2^-floor(log2(columns) / 2), and 1/4 for a
bias. F16 and BF16 are rounded to nearest, ties to even.

Needs nothing but Python 3; with numpy it is ten times as fast and writes the same bytes.
"""

import argparse
import array
import json
import os
import struct
import sys

try:
    import numpy
except ImportError:
    numpy = None

GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
MASK_64 = 2**64 - 1
CHUNK = 1 << 12
INDEX = "model.safetensors.index.json"
BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class LongIntegers:
    """Chunks of numbers by long integers: each holds CHUNK lanes of 128 bits, room for the product of two 64-bit
    numbers, so that one operation of Python's is CHUNK operations in C."""

    def __init__(self):
        ones = sum(1 << 128 * lane for lane in range(CHUNK))
        self.ones = ones
        self.low = {bits: ones * (2**bits - 1) for bits in (64, 37, 34, 33, 24)}
        self.steps = sum((lane + 1) * GAMMA % 2**64 << 128 * lane for lane in range(CHUNK))

    def encoded(self, seed, start, scale, dtype):
        low = self.low
        z = self.ones * ((seed + start * GAMMA) & MASK_64) + self.steps & low[64]
        z = (z ^ z >> 30 & low[34]) * MIX_1 & low[64]
        z = (z ^ z >> 27 & low[37]) * MIX_2 & low[64]
        z = (z ^ z >> 31 & low[33]) >> 40 & low[24]
        words = array.array("I", z.to_bytes(CHUNK * 16, sys.byteorder))
        mixed = words[::4] if sys.byteorder == "little" else words[::-4]
        unit = scale * 2.0**-23
        values = [word * unit - scale for word in mixed]
        if dtype == "F16":
            return struct.pack(f"<{CHUNK}e", *values)
        floats = struct.pack(f"<{CHUNK}f", *values)
        if dtype == "F32":
            return floats
        bits = struct.unpack(f"<{CHUNK}I", floats)
        return struct.pack(f"<{CHUNK}H", *[b + 0x7FFF + (b >> 16 & 1) >> 16 for b in bits])


class Numpy:
    """The same chunks by numpy."""

    def __init__(self):
        self.steps = numpy.arange(1, CHUNK + 1, dtype=numpy.uint64) * numpy.uint64(GAMMA)

    def encoded(self, seed, start, scale, dtype):
        z = self.steps + numpy.uint64((seed + start * GAMMA) & MASK_64)
        z = (z ^ z >> numpy.uint64(30)) * numpy.uint64(MIX_1)
        z = (z ^ z >> numpy.uint64(27)) * numpy.uint64(MIX_2)
        z = (z ^ z >> numpy.uint64(31)) >> numpy.uint64(40)
        values = z.astype(numpy.float32) * numpy.float32(scale * 2.0**-23) - numpy.float32(scale)
        if dtype == "F32":
            return values.astype("<f4").tobytes()
        if dtype == "F16":
            return values.astype("<f2").tobytes()
        bits = values.view(numpy.uint32)
        return (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype("<u2").tobytes()


def tensors(options):
    """Every tensor in the order of the files: name, shape, seed, scale."""
    sizes = {
        "gate_proj": (options.d_ff, options.d_model),
        "up_proj": (options.d_ff, options.d_model),
        "down_proj": (options.d_model, options.d_ff),
    }
    for layer in range(options.layers):
        for place, (name, (rows, columns)) in enumerate(sizes.items(), start=1):
            prefix = f"model.layers.{layer}.mlp.{name}"
            scale = 2.0 ** -((columns.bit_length() - 1) // 2)
            yield f"{prefix}.weight", [rows, columns], 16 * layer + place, scale
            if options.bias:
                yield f"{prefix}.bias", [rows], 16 * layer + place + 4, 0.25


def count(shape):
    product = 1
    for dimension in shape:
        product *= dimension
    return product


def write_shard(path, shard, dtype, chunks):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _, _ in shard:
        begin, end = end, end + count(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape, seed, scale in shard:
            elements = count(shape)
            for start in range(0, elements, CHUNK):
                encoded = chunks.encoded(seed, start, scale, dtype)
                file.write(encoded[: (elements - start) * BYTES[dtype]])
    os.replace(path + ".part", path)


def write_json(path, value):
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    os.replace(path + ".part", path)


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("directory", metavar="OUT", help="made if it is not there; files in it are replaced")
    parser.add_argument("--d-model", type=positive, default=2048)
    parser.add_argument("--d-ff", type=positive, default=8192)
    parser.add_argument("--layers", type=positive, default=1)
    parser.add_argument("--dtype", choices=sorted(BYTES), default="F32")
    parser.add_argument("--shards", type=positive, default=1)
    parser.add_argument("--bias", action="store_true", help="biases on all three projections")
    parser.add_argument("--hidden-act", default="silu", help="the activation that config.json names")
    options = parser.parse_args()

    everything = list(tensors(options))
    if options.shards > len(everything):
        parser.error(f"{len(everything)} tensors do not fill {options.shards} shards")
    os.makedirs(options.directory, exist_ok=True)
    # A single file would be read before an index, and an index beside a single file would confuse.
    for name in ["model.safetensors", INDEX]:
        if os.path.exists(os.path.join(options.directory, name)):
            os.remove(os.path.join(options.directory, name))
    chunks = Numpy() if numpy else LongIntegers()
    weight_map, total = {}, 0
    for shard in range(options.shards):
        part = everything[
            shard * len(everything) // options.shards : (shard + 1) * len(everything) // options.shards
        ]
        name = "model.safetensors"
        if options.shards > 1:
            name = f"model-{shard + 1:05}-of-{options.shards:05}.safetensors"
        write_shard(os.path.join(options.directory, name), part, options.dtype, chunks)
        weight_map.update((tensor, name) for tensor, _, _, _ in part)
        total += sum(count(shape) for _, shape, _, _ in part) * BYTES[options.dtype]
    if options.shards > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        write_json(os.path.join(options.directory, INDEX), index)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": options.d_model,
        "intermediate_size": options.d_ff,
        "num_hidden_layers": options.layers,
        "hidden_act": options.hidden_act,
        "mlp_bias": options.bias,
        "torch_dtype": {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[options.dtype],
    }
    write_json(os.path.join(options.directory, "config.json"), config)
    print(f"{options.directory}: {options.layers} layers, {total} bytes of {options.dtype} weights")


if __name__ == "__main__":
    main()
