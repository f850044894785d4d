#!/usr/bin/env python3
"""Watches a server's memory and descriptors through its /metrics while something puts load on it.

    soak.py --url http://127.0.0.1:8080 --seconds 3600 [--every 10] [--growth 0.05]

Prints a JSON line a sample (seconds, resident_bytes, open_fds, connections, requests) and one at the end. Exit code 1
where the median of the last quarter lies above the second quarter's by more than `--growth` of it and a mebibyte, or by
more than 16 descriptors: the first quarter is for warming up.
"""

import argparse
import json
import re
import statistics
import sys
import time
import urllib.request

SAMPLES = {
    "resident_bytes": "process_resident_memory_bytes",
    "open_fds": "process_open_fds",
    "connections": "sluice_connections",
    "requests": "sluice_http_requests_total",
}


def sample(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    found = {}
    for name, metric in SAMPLES.items():
        values = re.findall(rf"^{metric}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        if not values:
            sys.exit(f"soak: {url}/metrics has no {metric}")
        found[name] = sum(map(float, values))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--every", type=float, default=10)
    parser.add_argument("--growth", type=float, default=0.05, help="of the resident memory, as a share")
    options = parser.parse_args()
    begin, samples = time.monotonic(), []
    while True:
        samples.append({"seconds": round(time.monotonic() - begin, 1), **sample(options.url)})
        print(json.dumps(samples[-1]), flush=True)
        rest = begin + options.seconds - time.monotonic()
        if rest <= 0:
            break
        time.sleep(min(options.every, rest))
    if len(samples) < 8:
        sys.exit("soak: fewer than eight samples say nothing")
    quarter = len(samples) // 4
    verdict = {"requests": samples[-1]["requests"] - samples[0]["requests"]}
    grown = []
    for name, allowed in (("resident_bytes", lambda base: base * options.growth + 2**20), ("open_fds", lambda _: 16)):
        base = statistics.median(each[name] for each in samples[quarter:2 * quarter])
        end = statistics.median(each[name] for each in samples[-quarter:])
        verdict |= {f"{name}_second_quarter": base, f"{name}_last_quarter": end}
        if end - base > allowed(base):
            grown.append(name)
    print(json.dumps({**verdict, "grown": grown}))
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
