"""A layer called over one keep-alive connection, TCP or a Unix socket, with Python's own library.

    python3 examples/layer_client.py HOST:PORT|/path/of/socket MODEL WIDTH [CALLS]

Sends a row of WIDTH numbers CALLS times as a raw body of the Open Inference Protocol, and prints the round trip's median
and 99th percentile, and how long the server says it took of it.
"""

import array
import http.client
import re
import socket
import sys
import time


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("sluice")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def apply(connection, model, row):
    """The layer's output for rows of float32, and the server's own time in µs."""
    connection.request("POST", f"/v2/models/{model}/infer", row.tobytes(), {"Inference-Header-Content-Length": "0"})
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        raise RuntimeError(body.decode())
    output = array.array("f", body[int(reply.headers["Inference-Header-Content-Length"]) :])
    return output, 1000 * float(re.search(r"total;dur=([\d.]+)", reply.headers["Server-Timing"])[1])


def main():
    address, model, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
    calls = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    connection = UnixConnection(address) if address.startswith("/") else http.client.HTTPConnection(address)
    row = array.array("f", (index % 16 / 4 - 2 for index in range(width)))
    first, _ = apply(connection, model, row)
    trips, server = [], 0.0
    for _ in range(calls):
        started = time.perf_counter()
        output, microseconds = apply(connection, model, row)
        trips.append(1e6 * (time.perf_counter() - started))
        server += microseconds
        assert output == first, "the same row has other bits"
    trips.sort()
    print(f"{calls} calls of {4 * width} bytes: median {trips[len(trips) // 2]:.0f} µs, "
          f"p99 {trips[len(trips) * 99 // 100]:.0f} µs, of which the server {server / calls:.0f} µs; "
          f"{4 * len(first)} bytes back")


main()
