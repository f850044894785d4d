#!/bin/sh
# A gate alone, without weights: GEGLU of three pairs, and what it changes by if either operand does.
#
#   sluice serve &
#   examples/gate.sh [http://127.0.0.1:8080]
#
# answers, before its timing:
#
#   {"variant":"geglu","output":[0.5185968,-0.47596577,-0.48862493],"derivative":{"a":[1.3012428,-0.24994639,-0.27130795],"b":[0.34573123,-0.15865526,1.9544997]}}
set -eu
curl --silent --show-error --fail-with-body "${1:-http://127.0.0.1:8080}/v1/glu" \
  --header 'Content-Type: application/json' \
  --data '{"variant": "geglu", "a": [0.5, -1.0, 2.0], "b": [1.5, 3.0, -0.25], "derivative": true}'
