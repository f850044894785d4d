#!/usr/bin/env python3
"""Load at a rate that does not wait for the answers: requests are due at fixed times, and a latency is counted from the
time at which its request was due. A server that falls behind shows it; a closed loop would merely ask it less often.

    openloop.py --url http://127.0.0.1:8080/v1/ffn --body body.bin --header 'Content-Type: application/json' \\
                --rate 500 --seconds 10 [--connections 256] [--no-keep-alive] [--arrivals even|poisson]

Prints one JSON line: what wrk.lua prints, and `offered` (the rate asked for), `due` (what chance made of it), `late_ms`
(the 99th percentile of this program's own lateness in sending: above a few milliseconds it is the bottleneck, some
3,000 requests a second on a core), `unsent` (due, and no connection free), `statuses`. Standard library only.
"""

import argparse
import asyncio
import json
import pathlib
import random
import re
import time
import urllib.parse

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection with at most one request under way: calls `finished(status)` with None where it broke."""

    def __init__(self):
        self.buffer = bytearray()
        self.expected = None
        self.status = None
        self.finished = None
        self.transport = None
        self.closing = False

    def connection_made(self, transport):
        self.transport = transport

    def send(self, message: bytes, finished) -> None:
        self.buffer.clear()
        self.expected, self.status, self.finished = None, None, finished
        self.transport.write(message)

    def data_received(self, data):
        self.buffer += data
        if self.expected is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end])
            length = LENGTH.search(head)
            self.status = int(head.split(b" ", 2)[1])
            self.closing = b"\r\nconnection: close" in head.lower()
            self.expected = end + 4 + (int(length.group(1)) if length else 0)
        if len(self.buffer) >= self.expected and self.finished:
            finished, self.finished = self.finished, None
            finished(self.status)

    def connection_lost(self, _):
        self.closing = True
        if self.finished:
            finished, self.finished = self.finished, None
            finished(None)


class Load:
    """One run: the pool of connections, and what was measured."""

    def __init__(self, url: str, fields: list[str], content: bytes, connections: int, keep_alive: bool):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80
        fields = [f"Host: {parts.netloc}", f"Content-Length: {len(content)}", *fields]
        fields += [] if keep_alive else ["Connection: close"]
        head = "\r\n".join([f"POST {parts.path or '/'} HTTP/1.1", *fields, "", ""])
        self.message = head.encode() + content
        self.keep_alive = keep_alive
        self.most = connections
        self.idle: list[Connection] = []
        self.open = 0
        self.latencies: list[float] = []
        self.lateness: list[float] = []
        self.statuses: dict[str, int] = {}
        self.unsent = 0
        self.under_way = 0
        self.drained = asyncio.Event()

    def count(self, status: str) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1

    async def request(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        while self.idle and self.idle[-1].closing:
            self.idle.pop()
            self.open -= 1
        if self.idle:
            connection = self.idle.pop()
        elif self.open < self.most:
            self.open += 1
            try:
                _, connection = await loop.create_connection(Connection, self.host, self.port)
            except OSError:
                self.open -= 1
                self.count("refused")
                return
        else:
            self.unsent += 1
            return
        self.lateness.append(time.perf_counter() - due)
        self.under_way += 1
        self.drained.clear()

        def finished(status: int | None) -> None:
            self.under_way -= 1
            self.count("broken" if status is None else str(status))
            if status == 200:
                self.latencies.append(time.perf_counter() - due)
            if self.keep_alive and not connection.closing:
                self.idle.append(connection)
            else:
                self.open -= 1
                connection.transport.close()
            if not self.under_way:
                self.drained.set()

        connection.send(self.message, finished)

    async def run(self, rate: float, seconds: float, poisson: bool) -> float:
        """Sends for so long, waits at most ten seconds for what is under way, and returns how long it all took."""
        generator = random.Random(1)
        begin = time.perf_counter()
        due, tasks = begin, set()
        while due < begin + seconds:
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
            task = asyncio.ensure_future(self.request(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += generator.expovariate(rate) if poisson else 1 / rate
        await asyncio.gather(*tasks)
        if self.under_way:
            try:
                await asyncio.wait_for(self.drained.wait(), 10)
            except asyncio.TimeoutError:
                self.statuses["unanswered"] = self.under_way
        return time.perf_counter() - begin


def percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)] if sorted_values else 0.0


def report(load: Load, rate: float, seconds: float, took: float) -> dict:
    times = sorted(1e3 * latency for latency in load.latencies)
    good = load.statuses.get("200", 0)
    asked = sum(load.statuses.values())
    found = {"requests": asked, "seconds": round(took, 3), "offered": rate,
             "due": round((asked + load.unsent) / seconds, 1), "rate": round(good / took, 1),
             "errors": asked - good + load.unsent}
    for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        found[name] = round(percentile(times, share), 3)
    found["max_ms"] = round(times[-1], 3) if times else 0.0
    found["late_ms"] = round(1e3 * percentile(sorted(load.lateness), 0.99), 3)
    found["unsent"] = load.unsent
    found["statuses"] = load.statuses
    return found


async def measure(options) -> dict:
    load = Load(options.url, options.header, options.body.read_bytes(), options.connections, options.keep_alive)
    took = await load.run(options.rate, options.seconds, options.arrivals == "poisson")
    return report(load, options.rate, options.seconds, took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", type=pathlib.Path, required=True)
    parser.add_argument("--header", action="append", default=[], metavar="FIELD")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=256, help="at most so many; beyond it a request is not sent")
    parser.add_argument("--no-keep-alive", dest="keep_alive", action="store_false")
    parser.add_argument("--arrivals", choices=["even", "poisson"], default="poisson")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
