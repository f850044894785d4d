"""Requests to every endpoint, right ones and damaged ones: what scripts/storm sends."""

import copy
import gzip
import json
import random
import struct
import zlib

ROW = [0.5, -1.0, 2.0, 0.25]
MATRIX = [[0.1, 0.2, -0.3, 0.4], [0.5, -0.6, 0.7, 0.8]]
WEIGHTS = {"gate_proj": MATRIX, "up_proj": MATRIX, "down_proj": [[1.0, 2.0], [0.5, -1], [0, 1], [3, 1e-3]]}
TENSOR = {"shape": [1, 4], "datatype": "FP32", "base64": "AAAAPwAAgL8AAABAAACAPg=="}
BINARY = json.dumps({"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32",
                                 "parameters": {"binary_data_size": 16}}],
                     "outputs": [{"name": "output", "parameters": {"binary_data": True}}]}).encode()
# path, JSON (or a body in binary and the length of its JSON)
SEEDS = [
    ("/v1/ffn", {"layer": "swiglu", "input": [ROW]}),
    ("/v1/ffn", {"model": "demo", "layer": 0, "input": [ROW, ROW], "activations": ["gate", "up", "hidden"],
                 "encoding": "base64", "timeout_ms": 1000, "id": "storm"}),
    ("/v1/ffn", {"layer": "geglu", "input": TENSOR}),
    ("/v1/ffn", {"layer": "glu", "input": {"shape": [4], "datatype": "FP32", "data": ROW}, "encoding": "flat"}),
    ("/v1/ffn", {"variant": "swiglu", "input": [ROW], "weights": WEIGHTS, "beta": 1.5}),
    ("/v1/ffn", {"model": "dense", "input": [[0.25] * 16]}),
    ("/v1/ffn", {"model": "mixture", "input": [ROW], "activations": ["router_logits", "expert_indices"]}),
    ("/v1/ffn", {"model": "mixture", "input": [ROW],
                 "experts": {"indices": [[0, 1]], "weights": [[0.5, 0.5]], "missing": "skip"}}),
    ("/v1/ffn/gradient", {"layer": "swiglu", "input": [ROW], "grad_output": [ROW]}),
    ("/v1/ffn/gradient", {"variant": "glu", "input": [ROW], "grad_output": [ROW], "weights": WEIGHTS}),
    ("/v1/glu", {"variant": "geglu", "a": ROW, "b": ROW, "derivative": True}),
    ("/v1/glu", {"variant": "glu", "input": [[ROW, ROW]], "dim": -1}),
    ("/v1/gated-conv", {"variant": "glu", "input": [[1.0, 2.0], [0.5, -1], [3, 4]],
                        "weights": {"conv": [[[1, 0.5], [0.25, 1]]] * 4, "bias": [0, 1, 0, 1]}}),
    ("/v2/models/dense/infer", {"inputs": [{"name": "input", "shape": [1, 16], "datatype": "FP32",
                                            "data": [0.25] * 16}], "id": "x", "parameters": {"priority": 1}}),
    ("/v2/models/demo.swiglu/infer", (BINARY + struct.pack("<4f", *ROW), len(BINARY))),
    ("/v2/models/dense/infer", (struct.pack("<16f", *[0.25] * 16), 0)),
    ("/v2/repository/index", {"ready": True}),
    ("/v2/repository/models/dense/load", {"parameters": {}}),
    ("/v2/repository/models/nothing/unload", {}),
]
GETS = ["/v1/models", "/v1/models/demo", "/livez", "/readyz", "/metrics", "/openapi.yaml", "/v2", "/v2/models/dense",
        "/v2/models/dense/config", "/v2/models/dense/stats", "/v2/health/ready", "/"]
VALUES = [None, True, 0, -1, 2**31, 2**63, 10**40, 1e39, -1e-46, "", "\u0000", "\ud83d\ude00", "x" * 70000, [], {}, [[]],
          [None], [[1, 2], [3]], {"shape": [2**40, 2**40], "datatype": "FP32", "data": [1]}, "NaN", "1e400", "input"]


def places(value, path=()):
    """The paths of all values within a value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def damaged_json(chance: random.Random, value):
    value = copy.deepcopy(value)
    for _ in range(chance.randrange(3)):
        path = chance.choice(list(places(value)))
        if not path:
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        kind = chance.randrange(4)
        if kind == 0:
            del holder[path[-1]]
        elif kind == 1 and isinstance(holder, dict):
            holder[path[-1] + chance.choice(["s", "\u0000", " "])] = holder.pop(path[-1])
        elif kind == 2 and isinstance(holder, list):
            holder += copy.deepcopy(holder) * chance.choice([1, 2, 50])
        else:
            holder[path[-1]] = copy.deepcopy(chance.choice(VALUES))
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        text = b"[" * chance.choice([10, 100, 100_000]) + text
    return text


def damaged_bytes(chance: random.Random, content: bytes) -> bytes:
    content = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        if not content:
            break
        place = chance.randrange(len(content))
        kind = chance.randrange(4)
        if kind == 0:
            content[place] = chance.randrange(256)
        elif kind == 1:
            content[place:place] = content[:chance.randrange(40)]
        elif kind == 2:
            del content[place:place + chance.randrange(1, 20)]
        else:
            del content[place:]
    return bytes(content)


def request(chance: random.Random) -> bytes:
    """One request, damaged somewhere between its JSON and its last byte, or not at all."""
    if chance.random() < 0.1:
        head = f"{chance.choice(['GET', 'HEAD', 'POST', 'BREW'])} {chance.choice(GETS)} HTTP/1.1\r\nHost: x\r\n\r\n"
        return head.encode() if chance.random() < 0.5 else damaged_bytes(chance, head.encode())
    path, seed = chance.choice(SEEDS)
    fields = ["Host: storm", "Content-Type: application/json"]
    if isinstance(seed, tuple):
        body, header = seed
        if chance.random() < 0.3:
            header = chance.choice([-1, 0, 1, len(body), len(body) + 1, 2**64, "x"])
        fields.append(f"Inference-Header-Content-Length: {header}")
    else:
        body = damaged_json(chance, seed)
    if chance.random() < 0.3:
        body = damaged_bytes(chance, body)
    if chance.random() < 0.15:
        coding = chance.choice(["gzip", "deflate", "gzip, gzip", "br"])
        body = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
        if chance.random() < 0.2:
            body = gzip.compress(bytes(30 << 20))
        elif chance.random() < 0.5:
            body = damaged_bytes(chance, body)
        fields.append(f"Content-Encoding: {coding}")
    if chance.random() < 0.1:
        fields.append(chance.choice(["Expect: 100-continue", "Expect: tea", "Accept-Encoding: gzip", "Connection: close",
                                     "Accept: text/html", "X: " + "y" * 100_000, "traceparent: 00-x", "Bad Field: 1"]))
    kind = chance.randrange(10)
    if kind == 0:
        fields.append("Transfer-Encoding: chunked")
        size = chance.choice([1, 7, 4096])
        chunks = [body[place:place + size] for place in range(0, min(len(body), 200 * size), size)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        if chance.random() < 0.5:
            body = damaged_bytes(chance, body)
    else:
        lie = chance.choice([-1, 1, 1000, 2**40]) if kind == 1 else 0
        fields.append(f"Content-Length: {len(body) + lie}")
    message = "\r\n".join([f"POST {path} HTTP/1.1", *fields, "", ""]).encode() + body
    if chance.random() < 0.1:
        message = damaged_bytes(chance, message)
    return message
