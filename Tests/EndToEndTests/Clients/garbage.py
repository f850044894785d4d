"""Sends bytes that are no requests, and asks after each whether the server still serves.

    garbage.py PORT COUNT

What comes back must be nothing or an HTTP error; the connection must end; the next one must be served.
"""

import http.client
import random
import socket
import sys

port, count = map(int, sys.argv[1:])
valid = (
    b"POST /v1/ffn HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n"
    b'{"input":[0.5,-1,2,0.3]}'
)


def garbage(generator, index):
    """Noise, or a valid request with some of its bytes replaced, repeated or cut off."""
    if index % 2 == 0:
        return bytes(generator.randrange(256) for _ in range(generator.randrange(1, 2000)))
    mutated = bytearray(valid)
    for _ in range(generator.randrange(1, 8)):
        place = generator.randrange(len(mutated))
        kind = generator.randrange(3)
        if kind == 0:
            mutated[place] = generator.randrange(256)
        elif kind == 1:
            mutated[place:place] = mutated[: generator.randrange(20)]
        else:
            del mutated[place : place + generator.randrange(1, 10)]
        if not mutated:
            break
    return bytes(mutated)


for index in range(count):
    content = garbage(random.Random(index), index)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:
            # The server closed with some of it unread.
            pass
    if answer and not answer.startswith(b"HTTP/1."):
        raise SystemExit(f"garbage {index}: answered {answer[:80]!r}")
    good = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    good.request("GET", "/readyz")
    status = good.getresponse().status
    good.close()
    if status != 200:
        raise SystemExit(f"garbage {index}: after it the server answers {status}")
