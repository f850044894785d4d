#!/bin/bash
# Puts load on a server and reports it: a JSON line a run, and a plot of the latency percentiles against the load.
#
#   deploy/loadtest/run.sh [--url http://127.0.0.1:8080] [--rows 1,8] [--body json|base64|binary] [--model NAME]
#                          [--layer N] [--seconds 10] [--no-keep-alive] [--out results] MODE
#
#   MODE: closed --connections 1,8,64 [--tool wrk|hey]   so many clients, each asks again when it is answered
#         open   --rates 100,200,400                     requests due at times, whatever the answers (sluice load-test)
#         ramp   --to RATE [--steps 10]                  open, at the rates RATE/steps … RATE
#         soak   --rates RATE [--seconds 3600]           one rate for long; memory and descriptors are watched
#
# Writes OUT/MODE-ROWS.jsonl and .svg. Needs python3, wrk or hey for the closed loop, and sluice for the others (SLUICE
# says where it is). A closed loop says what a server gives; what clients at a given rate would feel is said by the open
# one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 64; }

url=http://127.0.0.1:8080 rows=1 form=json seconds=10 keep=yes out=results mode='' tool=wrk connections=1,8,64
rates='' to='' steps=10 select=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-keep-alive) keep=no; shift; continue ;;
    closed|open|ramp|soak) mode=$1; shift; continue ;;
    --*) [ $# -ge 2 ] || usage ;;
    *) usage ;;
  esac
  case $1 in
    --url) url=${2%/} ;;
    --rows) rows=$2 ;;
    --body) form=$2 ;;
    --model|--layer) select+=("$1" "$2") ;;
    --seconds) seconds=$2 ;;
    --out) out=$2 ;;
    --tool) tool=$2 ;;
    --connections) connections=$2 ;;
    --rates) rates=$2 ;;
    --to) to=$2 ;;
    --steps) steps=$2 ;;
    *) usage ;;
  esac
  shift 2
done

needs() { command -v "$1" >/dev/null || { echo "run.sh: $1 is missing (apt-get install $1)" >&2; exit 69; }; }
needs python3
case $mode in
  closed) case $tool in wrk|hey) needs "$tool" ;; *) usage ;; esac ;;
  ramp) [ -n "$to" ] || usage
    rates=$(seq -s , 1 "$steps" | awk -v RS=, -v ORS=, -v to="$to" -v n="$steps" '{ print to * $1 / n }') ;;
  open|soak) [ -n "$rates" ] || usage ;;
  *) usage ;;
esac
sluice=${SLUICE:-sluice}
[ "$mode" = closed ] || command -v "$sluice" >/dev/null ||
  { echo "run.sh: $sluice is missing: build it, and set SLUICE=.build/release/sluice" >&2; exit 69; }

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# send FIELDS… : describes the run whose result stands on the standard input, as one line of JSON.
describe() {
  python3 -c 'import json, sys
described = {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in sys.argv[1:])}
print(json.dumps({**described, **json.loads(sys.stdin.read())}))' "$@"
}

for count in ${rows//,/ }; do
  how=$("$here/body.py" --url "$url" --rows "$count" --form "$form" --out "$work/body" ${select[@]+"${select[@]}"})
  path=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["path"])' "$how")
  fields=$(python3 -c 'import json, sys
for name, value in json.loads(sys.argv[1])["headers"].items(): print(f"{name}: {value}")' "$how")
  width=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["d_model"])' "$how")
  result=$out/$mode-$count.jsonl
  about=("mode=\"$mode\"" "rows=$count" "body=\"$form\"" "d_model=$width"
    "keep_alive=$([ "$keep" = yes ] && echo true || echo false)")
  headers=()
  while IFS= read -r field; do headers+=(-H "$field"); done <<<"$fields"
  : >"$result"

  open_loop() {  # RATE
    local arguments=(--url "$url$path" --body "$work/body" --rate "$1" --time "$seconds")
    [ "$keep" = yes ] || arguments+=(--no-keep-alive)
    "$sluice" load-test "${arguments[@]}" "${headers[@]/#-H/--header}" | describe 'tool="sluice load-test"' "${about[@]}"
  }

  case $mode in
    closed)
      for clients in ${connections//,/ }; do
        if [ "$tool" = wrk ]; then
          lines=$fields
          [ "$keep" = yes ] || lines+=$'\nConnection: close'
          threads=$((clients < 4 ? 1 : 2))
          BODY=$work/body HEADERS=$lines wrk -t "$threads" -c "$clients" -d "${seconds}s" --timeout 60s \
            -s "$here/wrk.lua" "$url$path" | tail -n 1
        else
          type=$(sed -n 's/^Content-Type: //p' <<<"$fields")
          closing=()
          [ "$keep" = yes ] || closing=(-disable-keepalive)
          hey -z "${seconds}s" -c "$clients" -t 60 -m POST -T "$type" -D "$work/body" "${headers[@]}" \
            ${closing[@]+"${closing[@]}"} -o csv "$url$path" | "$here/hey.py"
        fi | describe "tool=\"$tool\"" "connections=$clients" "${about[@]}" | tee -a "$result"
      done ;;
    open|ramp)
      for rate in ${rates//,/ }; do open_loop "$rate" | tee -a "$result"; done ;;
    soak)
      open_loop "$rates" >"$work/load" &
      load=$!
      status=0
      "$here/soak.py" --url "$url" --seconds "$seconds" --every "$((seconds > 400 ? 10 : seconds / 40 + 1))" |
        tee "$result" || status=$?
      wait "$load"
      cat "$work/load"
      [ "$status" = 0 ] || exit "$status"
      continue ;;
  esac
  "$here/plot.py" "$result" >"${result%.jsonl}.svg"
  echo "run.sh: $result, ${result%.jsonl}.svg" >&2
done
