#!/usr/bin/env python3
"""Reads the CSV of `hey -o csv` and prints one JSON line, in the fields of wrk.lua."""

import csv
import json
import sys


def main() -> None:
    rows = list(csv.DictReader(sys.stdin))
    if not rows:
        sys.exit("hey: no answers")
    times = sorted(float(row["response-time"]) * 1e3 for row in rows)
    # The end of the run is the end of the last answer; each row's offset is when its request began.
    seconds = max(float(row["offset"]) + float(row["response-time"]) for row in rows)
    found = {"requests": len(rows), "seconds": round(seconds, 3), "rate": round(len(rows) / seconds, 1),
             "errors": sum(row["status-code"] != "200" for row in rows)}
    for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        found[name] = round(times[min(int(len(times) * share), len(times) - 1)], 3)
    found["max_ms"] = round(times[-1], 3)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
