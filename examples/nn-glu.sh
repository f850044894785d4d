#!/bin/sh
# torch.nn.GLU on a tensor [8, 64, 512]: its halves along the last dimension, the first one times the sigmoid of the
# second. Element i of the input is (7919·i mod 2001 − 1000)/500; of the answer the shape, the first numbers and the sum
# are shown.
#
#   sluice serve &
#   examples/nn-glu.sh [http://127.0.0.1:8080]
#
# answers:
#
#   {"shape": [8, 64, 256], "first": [-0.365448, 0.29072195, 0.22817266, 1.3132071], "sum": 13797.872}
set -eu
python3 -c '
import json
print(json.dumps({"variant": "glu", "dim": -1, "input": {
    "shape": [8, 64, 512], "datatype": "FP32", "data": [(7919 * i % 2001 - 1000) / 500 for i in range(8 * 64 * 512)]}}))' |
  curl --silent --show-error --fail-with-body "${1:-http://127.0.0.1:8080}/v1/glu" \
    --header 'Content-Type: application/json' --data-binary @- |
  python3 -c '
import json, sys
output = json.load(sys.stdin)["output"]
print(json.dumps({"shape": output["shape"], "first": output["data"][:4], "sum": round(sum(output["data"]), 3)}))'
