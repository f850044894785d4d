"""What programs do with tritonclient[http]: every question, every form of a tensor, load and unload.

    tritonclient_session.py HOST:PORT REPOSITORY [CA]

REPOSITORY is the server's model repository; CA, where given, is what its certificate is trusted by.
"""

import os
import sys

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from bare_layer import write_layer
from tritonclient.utils import InferenceServerException

address, repository = sys.argv[1:3]
tls = {"ssl": True, "ssl_options": {"ca_certs": sys.argv[3]}} if len(sys.argv) > 3 else {}
client = triton.InferenceServerClient(address, concurrency=4, **tls)
x = np.array([[0.5, -1.0, 2.0, 0.25], [3.0, 1.0, -4.0, 1.0]], np.float32)


def tensor(values, datatype="FP32", binary=True, name="input"):
    """An input of the protocol."""
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def refused(call):
    """The error's text; anything but an error of the server is one of this script."""
    try:
        call()
    except InferenceServerException as error:
        assert error.status() not in (None, "200", "499"), error
        return error.message()
    raise AssertionError("was not refused")


# What the server says of itself.
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("demo")
assert not client.is_model_ready("nothing") and client.is_model_ready("demo", "1")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
metadata = client.get_model_metadata("demo.reglu")
assert metadata["name"] == "demo.reglu" and metadata["inputs"][0]["shape"] == [-1, 4], metadata
assert client.get_model_config("demo")["max_batch_size"] > 64
assert "nothing" in refused(lambda: client.get_model_metadata("nothing"))

# Every form of one question has the same bits for an answer.
expected = client.infer("demo", [tensor(x)]).as_numpy("output")
assert expected.shape == (2, 4) and expected.dtype == np.float32
for binary_in in (True, False):
    for binary_out in (True, False):
        wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("hidden", "output")]
        reply = client.infer("demo", [tensor(x, binary=binary_in)], outputs=wanted, request_id="r1", model_version="1")
        assert np.array_equal(reply.as_numpy("output"), expected)
        assert reply.as_numpy("hidden").shape == (2, 8)
        answer = reply.get_response()
        assert answer["id"] == "r1" and answer["parameters"]["batch_rows"] >= 2, answer
for coding in ("gzip", "deflate"):
    many = np.tile(x, (2000, 1))
    for binary in (True, False):
        reply = client.infer(
            "demo", [tensor(many, binary=binary)], outputs=[triton.InferRequestedOutput("output", binary_data=binary)],
            request_compression_algorithm=coding, response_compression_algorithm=coding)
        assert np.array_equal(reply.as_numpy("output"), np.tile(expected, (2000, 1)))

# Every datatype that the client has: those that convert without loss, and those that don't.
whole = np.array([[1, 2, 3, 4]])
right = client.infer("demo", [tensor(whole.astype(np.float32))]).as_numpy("output")
for datatype, kind in {
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BF16": ml_dtypes.bfloat16, "INT8": np.int8,
    "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8, "UINT16": np.uint16,
    "UINT32": np.uint32, "UINT64": np.uint64,
}.items():
    for binary in (True, False):
        if datatype == "BF16" and not binary:
            continue  # The client has no JSON for it.
        reply = client.infer("demo", [tensor(whole.astype(kind), datatype, binary)])
        assert np.array_equal(reply.as_numpy("output"), right), datatype
assert "BYTES" in refused(lambda: client.infer("demo", [tensor(np.array([[b"a"] * 4], object), "BYTES")]))
assert "BOOL" in refused(lambda: client.infer("demo", [tensor(whole > 2, "BOOL")]))
assert "FP64" in refused(lambda: client.infer("demo", [tensor(np.array([[0.1, 0, 0, 0]]), "FP64")]))
assert "classification" in refused(
    lambda: client.infer("demo", [tensor(x)], outputs=[triton.InferRequestedOutput("output", class_count=2)]))

# The parameters that the client knows, and one of ours.
reply = client.infer("demo", [tensor(x)], priority=1, timeout=10_000_000, parameters={"layer": "reglu"})
named = client.infer("demo.reglu", [tensor(x)])
assert np.array_equal(reply.as_numpy("output"), named.as_numpy("output"))

# Many at a time.
before = client.get_inference_statistics("demo")["model_stats"][0]
waiting = [client.async_infer("demo", [tensor(x + step)]) for step in range(32)]
for step, reply in enumerate(waiting):
    alone = client.infer("demo", [tensor(x + step)]).as_numpy("output")
    assert np.array_equal(reply.get_result().as_numpy("output"), alone)
after = client.get_inference_statistics("demo")["model_stats"][0]
assert after["inference_count"] - before["inference_count"] == 128, (before, after)
assert 32 <= after["execution_count"] - before["execution_count"] <= 64
assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 64
assert len(client.get_inference_statistics()["model_stats"]) >= 12

# Models that come and go.
write_layer(os.path.join(repository, "fresh.safetensors"), 2, 2, 3.0)
states = {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}
assert states["demo"] == "READY" and states["fresh"] == "UNAVAILABLE", states
client.load_model("fresh")
assert client.is_model_ready("fresh")
ones = client.infer("fresh", [tensor(np.array([[1, 2]], np.float32))]).as_numpy("output")
client.unload_model("fresh")
assert not client.is_model_ready("fresh") and ones.shape == (1, 2)
assert "absent" in refused(lambda: client.load_model("absent"))
client.close()
