#!/usr/bin/env python3
"""Writes the body of one request for a load test, and prints how it is to be sent as one JSON line.

    body.py --url http://127.0.0.1:8080 --rows 8 --form json --out body.bin
    {"path": "/v1/ffn", "headers": {"Content-Type": "application/json"}, "bytes": 81920, …}

The model's width is asked of the server. Forms: json (nested numbers), base64 (FP32 in JSON), binary (the Open
Inference Protocol's raw tensors). Rows are normal with a fixed seed, so that every run sends the same bytes.
"""

import argparse
import array
import base64
import json
import pathlib
import random
import sys
import urllib.request


def width(url: str, model: str | None, layer: int) -> tuple[str, int]:
    """The name of the model (the first without one) and the numbers in a row of its layer."""
    with urllib.request.urlopen(f"{url}/v1/models", timeout=10) as reply:
        models = json.load(reply)["models"]
    found = next((each for each in models if model in (None, each["name"])), None)
    if not found:
        sys.exit(f"body: {url} serves no model {model}")
    return found["name"], found["layers"][layer]["d_model"]


def make(form: str, model: str, layer: int, rows: int, columns: int) -> tuple[str, dict[str, str], bytes]:
    """Path, header fields and content."""
    generator = random.Random(rows)
    numbers = array.array("f", (generator.gauss(0, 1) for _ in range(rows * columns)))
    if sys.byteorder == "big":
        numbers.byteswap()
    if form == "binary":
        head = json.dumps({
            "inputs": [{"name": "input", "shape": [rows, columns], "datatype": "FP32",
                        "parameters": {"binary_data_size": len(numbers) * 4}}],
            "outputs": [{"name": "output", "parameters": {"binary_data": True}}],
            "parameters": {"layer": layer}}).encode()
        fields = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        return f"/v2/models/{model}/infer", fields, head + numbers.tobytes()
    if form == "base64":
        tensor = {"shape": [rows, columns], "datatype": "FP32", "base64": base64.b64encode(numbers.tobytes()).decode()}
    else:
        tensor = [[round(number, 7) for number in numbers[row * columns:(row + 1) * columns]] for row in range(rows)]
    content = json.dumps({"model": model, "layer": layer, "input": tensor}, separators=(",", ":")).encode()
    return "/v1/ffn", {"Content-Type": "application/json"}, content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model")
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--form", choices=["json", "base64", "binary"], default="json")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    model, columns = width(options.url, options.model, options.layer)
    path, fields, content = make(options.form, model, options.layer, options.rows, columns)
    options.out.write_bytes(content)
    print(json.dumps({"path": path, "headers": fields, "bytes": len(content), "model": model, "d_model": columns}))


if __name__ == "__main__":
    main()
