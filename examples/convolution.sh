#!/bin/sh
# The gated convolution of Dauphin et al. 2017: two channels in, one out, a kernel of two positions. The value is the sum
# of both channels' difference to the position before, the gate opens as the second channel grows.
#
#   sluice serve &
#   examples/convolution.sh [http://127.0.0.1:8080]
#
# answers, before its timing:
#
#   {"variant":"glu","output":[[0.26894143],[1.25],[-0.3655293],[2.997267]]}
set -eu
curl --silent --show-error --fail-with-body "${1:-http://127.0.0.1:8080}/v1/gated-conv" \
  --header 'Content-Type: application/json' \
  --data '{"variant": "glu", "weights": {"conv": [[[-1, 1], [-1, 1]], [[0, 0], [0, 2]]], "bias": [0, -1]},
           "input": [[1, 0], [3, 0.5], [2, 1], [2, 4]]}'
