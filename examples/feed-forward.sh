#!/bin/sh
# The feed-forward layer of a Transformer with SwiGLU, its three matrices given in the request: rows of 512 numbers, a
# hidden width of 2048, a batch [8, 64, 512]. Element i of each tensor is (7919·i mod 2001 − 1000)/1000, of the matrices
# a thirty-second of it, of gate_proj counted from i = 1 and of up_proj from i = 2; everything goes as base64. Of the
# answer the shape, the first numbers and the sum are shown.
#
#   sluice serve &
#   examples/feed-forward.sh [http://127.0.0.1:8080]
#
# answers:
#
#   {"shape": [8, 64, 512], "first": [-1.1979914, -0.3529716, 0.44070655, 0.9032738], "sum": -191.085}
set -eu
python3 -c '
import array, base64, json, sys
def tensor(shape, scale, first):
    count = 1
    for size in shape: count *= size
    values = array.array("f", ((7919 * i % 2001 - 1000) / 1000 * scale for i in range(first, first + count)))
    if sys.byteorder == "big": values.byteswap()
    return {"shape": shape, "datatype": "FP32", "base64": base64.b64encode(values.tobytes()).decode()}
print(json.dumps({"variant": "swiglu", "input": tensor([8, 64, 512], 1, 0), "encoding": "flat", "weights": {
    "gate_proj": tensor([2048, 512], 1 / 32, 1), "up_proj": tensor([2048, 512], 1 / 32, 2),
    "down_proj": tensor([512, 2048], 1 / 32, 0)}}))' |
  curl --silent --show-error --fail-with-body "${1:-http://127.0.0.1:8080}/v1/ffn" \
    --header 'Content-Type: application/json' --data-binary @- |
  python3 -c '
import json, sys
output = json.load(sys.stdin)["output"]
print(json.dumps({"shape": output["shape"], "first": output["data"][:4], "sum": round(sum(output["data"]), 3)}))'
