"""A server that answers every request with the same octets, for a client's tests.

    answering.py NAME [ARGUMENT …]

Listens, runs the command `{sluice} …` with `{port}` in its arguments replaced, prints its output, and ends with its
exit code.
"""

import os
import socket
import subprocess
import sys
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
# name: the pieces of an answer, and whether the connection ends after it.
ANSWERS = {
    "interim": ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HEAD + b"\r\nhello"], False),
    "pieces": ([HEAD[:20], HEAD[20:] + b"\r", b"\nhe", b"llo"], False),
    "lower-case": ([b"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello"], False),
    "closing": ([HEAD + b"Connection: close\r\n\r\nhello"], True),
    "silently-closing": ([HEAD + b"\r\nhello"], True),
    "no-content": ([b"HTTP/1.1 204 No Content\r\n\r\n"], False),
    "cut": ([HEAD + b"\r\nhel"], True),
    "without-length": ([b"HTTP/1.1 200 OK\r\n\r\nhello"], True),
    "garbage": ([b"220 mail ready\r\n\r\n"], True),
    "together": ([HEAD + b"\r\nhello"], False),
    "endless-head": ([b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20000], True),
}
# So many connections have to ask before the first answer to any of them, where the answer is "together".
TOGETHER = threading.Barrier(5 if sys.argv[1] == "together" else 1)


def serve(connection: socket.socket, pieces: list[bytes], closes: bool) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        waiting = b""
        is_first = True
        while True:
            while b"\r\n\r\nbody" not in waiting:
                received = connection.recv(65536)
                if not received:
                    return
                waiting += received
            waiting = waiting.partition(b"\r\n\r\nbody")[2]
            if is_first:
                TOGETHER.wait()
                is_first = False
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    # Pieces are to arrive as such: the next one is sent when this one has been taken.
                    while len(pieces) > 1 and unsent(connection):
                        os.sched_yield()
            except OSError:
                return
            if closes:
                return


def unsent(connection: socket.socket) -> bool:
    """Whether octets of this end were not acknowledged yet (SIOCOUTQ)."""
    import fcntl
    import struct

    return struct.unpack("i", fcntl.ioctl(connection, 0x5411, bytes(4)))[0] > 0


def main() -> None:
    pieces, closes = ANSWERS[sys.argv[1]]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, pieces, closes), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.exit(subprocess.run([argument.replace("{port}", str(port)) for argument in sys.argv[2:]]).returncode)


if __name__ == "__main__":
    main()
