#!/bin/sh
# Shazeer's table (GLU Variants Improve Transformer, 2020): one row through the same three matrices with each of his
# gates. They are those of the embedded model, whose layers differ in nothing else.
#
#   sluice serve &
#   examples/variants.sh [http://127.0.0.1:8080]
#
# answers, before their timing:
#
#   {"model":"demo","layer":"glu","variant":"glu","output":[1.1902813,-0.29538062,-0.42365238,-0.8307648]}
#   {"model":"demo","layer":"bilinear","variant":"bilinear","output":[-0.6368408,-0.44140625,-0.6008301,1.157959]}
#   {"model":"demo","layer":"reglu","variant":"reglu","output":[0.9532471,-0.092041016,-0.2529297,-0.7807617]}
#   {"model":"demo","layer":"geglu","variant":"geglu","output":[0.5425665,0.027512431,-0.09284066,-0.50990236]}
#   {"model":"demo","layer":"swiglu","variant":"swiglu","output":[0.2727549,-0.021259785,-0.118245035,-0.20300248]}
set -eu
for variant in glu bilinear reglu geglu swiglu; do
  curl --silent --show-error --fail-with-body "${1:-http://127.0.0.1:8080}/v1/ffn" \
    --header 'Content-Type: application/json' \
    --data "{\"model\": \"demo\", \"layer\": \"$variant\", \"input\": [0.5, -1.0, 2.0, 0.25]}"
done
