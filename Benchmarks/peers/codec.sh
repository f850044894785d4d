#!/bin/sh
# TensorCoding beside simdjson and <charconv> on the same bytes, in turns; prints medians over the rounds and ratios.
#   Benchmarks/peers/codec.sh [ROUNDS]        needs g++ and libsimdjson-dev
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-7}
swift build -q -c release --product sluice-benchmarks
ours=$(swift build -c release --show-bin-path)/sluice-benchmarks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -O3 -march=native -std=c++17 Benchmarks/peers/codec.cpp -lsimdjson -o "$work/codec"
"$ours" codec --data "$work" --repetitions 1 >/dev/null
round=0
while [ "$round" -lt "$rounds" ]; do
  "$ours" codec --lines >>"$work/figures"
  "$work/codec" "$work" >>"$work/figures"
  round=$((round + 1))
done
sort -t "$(printf '\t')" -k1,1 -k2,2g "$work/figures" | awk -F '\t' '
  $1 != name { if (n) result[name] = figure[int((n + 1) / 2)]; name = $1; n = 0 }
  { figure[++n] = $2 }
  END {
    result[name] = figure[int((n + 1) / 2)]
    for (i in result) printf "%-32s %6.2f ns\n", i, result[i] | "sort"
    close("sort")
    print ""
    split("9 digits,17 digits,shortest", texts, ",")
    for (i = 1; i <= 3; i++) {
      t = texts[i]
      printf "scan %-10s ours / simdjson ondemand %.2f, / dom %.2f, / from_chars %.2f\n", t,
        result["scan " t] / result["simdjson ondemand " t], result["scan " t] / result["simdjson dom " t],
        result["scan " t] / result["from_chars " t]
    }
    printf "print nested    ours / to_chars %.2f\n", result["print nested"] / result["to_chars"]
  }'
