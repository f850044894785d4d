#!/bin/sh
# A mixture of experts: first its own router chooses two of the four experts for each row, then the request does.
#
#   examples/make-mixture.py /tmp/mixture && sluice serve --model moe=/tmp/mixture &
#   examples/mixture.sh [http://127.0.0.1:8080]
#
# answers, before their timing:
#
#   {"model":"moe","layer":"model.layers.0.block_sparse_moe","variant":"swiglu","output":[[0.36114153,0.2634381,0.69266695,-0.3463174],[0.50615466,-0.51665044,0.089240596,0.64595973]],"activations":{"expert_indices":[[2,3],[3,1]],"expert_weights":[[0.52342033,0.47657967],[0.5621765,0.43782347]]}}
#   {"model":"moe","layer":"model.layers.0.block_sparse_moe","variant":"swiglu","output":[[-0.7453858,0.7960532,0.34243628,-0.8329694],[-0.25636387,-0.13937664,0.17214537,-0.0714882]]}
set -eu
send() {
  curl --silent --show-error --fail-with-body "$1/v1/ffn" --header 'Content-Type: application/json' --data "$2"
}
url="${1:-http://127.0.0.1:8080}"
send "$url" '{"model": "moe", "input": [[0.5, -1.0, 2.0, 0.25], [1.0, 0.0, -0.5, 1.5]],
  "activations": ["expert_indices", "expert_weights"]}'
send "$url" '{"model": "moe", "input": [[0.5, -1.0, 2.0, 0.25], [1.0, 0.0, -0.5, 1.5]],
  "experts": {"indices": [[0, 3], [2, 1]], "weights": [[0.75, 0.25], [0.5, 0.5]]}}'
