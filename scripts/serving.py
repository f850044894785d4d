"""What the benchmarks of whole requests have in common: a server over made-up weights, and what it is asked."""

import contextlib
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# For wrk: a body, and how much of it is JSON where the rest is binary.
POST = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
if os.getenv("RAW") then
  wrk.headers["Inference-Header-Content-Length"] = os.getenv("RAW")
else
  wrk.headers["Content-Type"] = "application/json"
end
"""


class Requests:
    """What wrk needs for one kind of request."""

    def __init__(self, folder: str, protocol: str, d_model: int, rows: int, layer: int = 0):
        generator = random.Random(rows)
        values = [[round(generator.gauss(0, 1), 7) for _ in range(d_model)] for _ in range(rows)]
        body = pathlib.Path(folder) / f"{protocol}-{layer}-{rows}"
        self.script = str(pathlib.Path(folder) / "post.lua")
        pathlib.Path(self.script).write_text(POST)
        self.environment = dict(os.environ, BODY=str(body))
        if protocol == "json":
            self.path = "/v1/ffn"
            body.write_text(json.dumps({"layer": layer, "input": values}))
        else:
            self.path = "/v2/models/bench/infer"
            request = binary_request(values, layer)
            body.write_bytes(request)
            self.environment["RAW"] = str(request.index(b"}]}") + 3)


def binary_request(values: list[list[float]], layer: int) -> bytes:
    """JSON and the rows behind it, with the output in binary: what tritonclient sends."""
    rows = struct.pack(f"<{len(values) * len(values[0])}f", *(value for row in values for value in row))
    return json.dumps({"parameters": {"binary_data_output": True, "layer": layer}, "inputs": [
        {"name": "input", "shape": [len(values), len(values[0])], "datatype": "FP32",
         "parameters": {"binary_data_size": len(rows)}}]}).encode() + rows


@contextlib.contextmanager
def serving(binary: str, shape: str, further: list[str], layers: int = 1):
    """A server over made-up layers on a free port, its process and its address, for as long as the `with` lasts."""
    d_model, d_ff = shape.split("x")
    with tempfile.TemporaryDirectory() as checkpoint:
        subprocess.run([sys.executable, str(ROOT / "scripts/make-checkpoint.py"), checkpoint, "--d-model", d_model,
                        "--d-ff", d_ff, "--layers", str(layers)], check=True, stdout=subprocess.DEVNULL)
        command = [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--model", f"bench={checkpoint}",
                   "--log-format", "json", "--no-access-log", *further]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            for line in server.stderr:
                event = json.loads(line)
                if event["message"] == "ready":
                    yield server, f"http://{event['addresses'][0]}"
                    break
            else:
                sys.exit("the server ended before it was ready")
        finally:
            server.terminate()
            server.wait(timeout=30)
