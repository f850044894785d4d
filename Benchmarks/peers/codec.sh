#!/bin/sh
# TensorCoding beside simdjson and <charconv> on the same bytes, in turns; prints medians over the rounds, and of the
# ratios taken within each round.
#   Benchmarks/peers/codec.sh [ROUNDS]        needs g++ and libsimdjson-dev
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-15}
swift build -q -c release --product sluice-benchmarks
ours=$(swift build -c release --show-bin-path)/sluice-benchmarks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -O3 -march=native -std=c++17 Benchmarks/peers/codec.cpp -lsimdjson -o "$work/codec"
"$ours" codec --data "$work" --repetitions 1 >/dev/null
round=0
while [ "$round" -lt "$rounds" ]; do
  { "$ours" codec --lines --repetitions 9; "$work/codec" "$work" 9; } | sed "s/^/$round\t/" >>"$work/figures"
  round=$((round + 1))
done
awk -F '\t' '
  { figure[$2, $1] = $3; names[$2] }
  function ratio(a, b, r) { for (r in rounds) print "ratio " a " / " b "\t" figure[a, r] / figure[b, r] }
  END {
    for (key in figure) { split(key, part, SUBSEP); rounds[part[2]]; print part[1] ", ns\t" figure[key] }
    split("9 digits,17 digits,shortest", texts, ",")
    for (i in texts) {
      ratio("scan " texts[i], "simdjson ondemand " texts[i])
      ratio("scan " texts[i], "simdjson dom " texts[i])
      ratio("scan " texts[i], "from_chars " texts[i])
    }
    ratio("print nested", "to_chars")
  }' "$work/figures" | sort -t "$(printf '\t')" -k1,1 -k2,2g | awk -F '\t' '
  function flush() { if (n) printf "%-58s %6.2f\n", name, value[int((n + 1) / 2)]; n = 0 }
  $1 != name { flush(); name = $1 }
  { value[++n] = $2 }
  END { flush() }'
