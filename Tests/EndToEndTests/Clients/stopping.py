"""Stops a server while a request is in flight.

    stopping.py PORT PID MODE

The client sends a head with Expect: 100-continue and waits for the 100: the server has taken the request and waits for
its body. Then the server gets SIGTERM, and is known to have acted on it when it refuses connections (MODE finish) or
says that it is not ready (MODE delay, abort).

finish: the body is sent and must be answered, with Connection: close.
delay:  a request on a new connection must be answered, then the body is sent and must be answered.
abort:  SIGTERM is sent again; the connection must end.
"""

import http.client
import os
import signal
import socket
import sys

port, pid, mode = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
body = b'{"input":[0.5,-1,2,0.25]}'


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4096)
        if not part:
            raise SystemExit(f"the connection ended in the head: {head!r}")
        head += part
    return head.split(b"\r\n\r\n", 1)


def ask(path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


connection = socket.create_connection(("127.0.0.1", port), timeout=30)
connection.sendall(
    b"POST /v1/ffn HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
)
head, rest = read_head(connection)
if not head.startswith(b"HTTP/1.1 100 ") or rest:
    raise SystemExit(f"expected 100, got {head!r}")

os.kill(pid, signal.SIGTERM)
while True:
    try:
        status = ask("/readyz")
    except ConnectionError:
        status = None
    if status is None and mode == "finish" or status == 503 and mode != "finish":
        break

if mode == "abort":
    os.kill(pid, signal.SIGTERM)
    try:
        if connection.recv(1):
            raise SystemExit("an answer to half a request")
    except ConnectionError:
        pass
    sys.exit()

if mode == "delay" and ask("/v1/models") != 200:
    raise SystemExit("a server that is about to stop still serves")
connection.sendall(body)
head, rest = read_head(connection)
if not head.startswith(b"HTTP/1.1 200 "):
    raise SystemExit(f"expected 200, got {head!r} {rest!r}")
if mode == "finish" and b"connection: close" not in head.lower():
    raise SystemExit(f"no Connection: close in {head!r}")
