"""Bodies of the Open Inference Protocol put together by hand, one for each way in which clients differ.

    bodies.py URL [CA]
"""

import gzip
import json
import struct
import sys
import zlib

import requests

url = sys.argv[1]
session = requests.Session()
session.trust_env = False  # The certificate below, and no proxy.
session.verify = sys.argv[2] if len(sys.argv) > 2 else True
infer = f"{url}/v2/models/demo/infer"
x = [0.5, -1.0, 2.0, 0.25]
raw = struct.pack("<4f", *x)
head = {"name": "input", "shape": [1, 4], "datatype": "FP32"}
in_json = json.dumps({"inputs": [{**head, "data": x}]}).encode()
in_binary = json.dumps({"inputs": [{**head, "parameters": {"binary_data_size": 16}}]}).encode()
LENGTH = "Inference-Header-Content-Length"


def output(response):
    """The numbers of an answer, wherever they stand."""
    assert response.status_code == 200, (response.status_code, response.text)
    if LENGTH not in response.headers:
        reply = response.json()
        tensor = reply["outputs"][0]
        assert isinstance(tensor["data"], list) and isinstance(tensor["data"][0], float), reply
        assert "parameters" not in tensor, reply
        return struct.pack(f"<{len(tensor['data'])}f", *tensor["data"])
    assert response.headers["Content-Type"] == "application/octet-stream"
    length = int(response.headers[LENGTH])
    reply = json.loads(response.content[:length])
    assert reply["model_name"] == "demo" and reply["model_version"] == "1", reply
    size = reply["outputs"][0]["parameters"]["binary_data_size"]
    assert length + size == len(response.content) == int(response.headers["Content-Length"])
    return response.content[length:]


def refused(response, status):
    assert response.status_code == status, (response.status_code, response.text)
    assert list(response.json()) == ["error"] and isinstance(response.json()["error"], str), response.text


expected = output(session.post(infer, data=in_json))
# The C++ client: the length also where all is JSON, an empty Expect, either media type.
for kind in ("application/json", "application/octet-stream"):
    fields = {LENGTH: str(len(in_json)), "Content-Type": kind, "Expect": ""}
    assert output(session.post(infer, data=in_json, headers=fields)) == expected
    fields = {LENGTH: str(len(in_binary)), "Content-Type": kind, "Expect": ""}
    assert output(session.post(infer, data=in_binary + raw, headers=fields)) == expected
# A coding is undone before the length is looked at, which counts what was coded.
fields = {LENGTH: str(len(in_binary))}
for coding, code in (("gzip", gzip.compress), ("deflate", zlib.compress)):
    body = code(in_binary + raw)
    assert output(session.post(infer, data=body, headers={**fields, "Content-Encoding": coding})) == expected
# In chunks, cut anywhere.
chunks = (bytes([octet]) for octet in in_binary + raw)
assert output(session.post(infer, data=chunks, headers=fields)) == expected
# The raw form, with outputs in binary by itself.
answer = session.post(infer, data=raw * 3, headers={LENGTH: "0"})
assert LENGTH in answer.headers and output(answer) == expected * 3
# Replies in JSON that are worth it come coded as the client asks.
many = json.dumps({"inputs": [{**head, "shape": [500, 4], "data": x * 500}]})
for coding in ("gzip", "deflate"):
    answer = session.post(infer, data=many, headers={"Accept-Encoding": coding})
    assert answer.headers["Content-Encoding"] == coding and output(answer) == expected * 500, answer.headers

for length in ("-1", "x", str(len(in_binary) + 17), "1" * 30):
    refused(session.post(infer, data=in_binary + raw, headers={LENGTH: length}), 400)
refused(session.post(infer, data=in_binary + raw, headers={LENGTH: str(len(in_binary) - 1)}), 400)
refused(session.post(infer, data=in_binary + raw[:-1], headers=fields), 422)
refused(session.post(infer, data=in_binary + raw + b"\0", headers=fields), 422)
refused(session.post(infer, data=raw[:-1], headers={LENGTH: "0"}), 422)
refused(session.post(infer, data=b"\x1f\x8b\x08", headers={**fields, "Content-Encoding": "gzip"}), 400)
refused(session.post(infer, data=in_json, headers={"Content-Encoding": "br"}), 415)
refused(session.post(f"{url}/v2/models/demo%2fx/infer", data=in_json), 404)
refused(session.get(infer), 405)
refused(session.post(f"{url}/v2/repository/models/demo/unload"), 403)
