"""What somebody who means harm does to a server, one kind of it a function: scripts/storm lets each of them loose.

An attack returns nothing where the server did what it has to, else what it did. `TIMES` are the server's timeouts in
seconds, given by flags; an attack that dawdles has to be cut off within them and `SLACK`, whatever else is going on.
"""

import functools
import gzip
import json
import random
import re
import socket
import struct
import threading
import time
import zlib

TIMES = {"head": 3, "body": 3, "write": 3, "idle": 3, "handshake": 3, "linger": 1}
FLAGS = [word for name, seconds in TIMES.items() for word in (f"--{name}-timeout", f"{seconds}s")]
SLACK = 20
REQUEST_ID = rb"\r\n[Xx]-[Rr]equest-[Ii]d: ([^\r]*)"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
JSON = "Content-Type: application/json"
SMALL = json.dumps({"layer": "swiglu", "input": [[0.5, -1.0, 2.0, 0.25]]}).encode()


def post(body: bytes, path: str = "/v1/ffn", *fields: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def outcome(connection: socket.socket, message: bytes) -> bytes:
    """What comes back for a message until the connection ends, or has come by the time that it is reset."""
    answer = b""
    try:
        connection.sendall(message)
    except ConnectionError:
        pass  # refused before its end; the answer is there all the same
    try:
        while part := connection.recv(1 << 16):
            answer += part
    except ConnectionError:
        pass
    return answer


def status(answer: bytes) -> int:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(match[1]) if match else 0


# Wrong contents: name, path, content, fields. None of them is computed: each is answered 4xx.

def binary(size, tail: bytes = struct.pack("<4f", 1, 2, 3, 4), shape: str = "[1, 4]", header=None):
    text = (f'{{"inputs": [{{"name": "input", "shape": {shape}, "datatype": "FP32", '
            f'"parameters": {{"binary_data_size": {size}}}}}]}}').encode()
    length = len(text) if header is None else header
    return "/v2/models/demo.swiglu/infer", text + tail, (f"Inference-Header-Content-Length: {length}",)


def flat(shape: str, data: str = "[1, 2, 3, 4]"):
    return "/v1/ffn", f'{{"input": {{"shape": {shape}, "datatype": "FP32", "data": {data}}}}}'.encode(), (JSON,)


def text(content: bytes):
    return "/v1/ffn", content, (JSON,)


def row(number: bytes):
    return text(b'{"input": [' + number + b", 1, 2, 3]}")


WRONG = {
    "ten million brackets": text(b"[" * 10_000_000),
    "a hundred thousand objects": text(b'{"input": ' + b'{"a":' * 100_000),
    "deep and closed": text(b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b', "input": [1, 2, 3, 4]}'),
    "a member twice": text(b'{"input": [1, 2, 3, 4], "input": [1, 2, 3, 4]}'),
    "a member twice, once escaped": text(rb'{"input": [1, 2, 3, 4], "\u0069nput": [1, 2, 3, 4]}'),
    "an unknown member": text(b'{"input": [1, 2, 3, 4], "constructor": 1}'),
    "1e400": row(b"1e400"),
    "3.5e38": row(b"3.5e38"),
    "an exponent of a megabyte": row(b"1e" + b"9" * (1 << 20)),
    "NaN": row(b"NaN"),
    "-Infinity": row(b"-Infinity"),
    "a leading zero": row(b"01"),
    "hexadecimal": row(b"0x1p3"),
    "a plus": row(b"+1"),
    "a bare point": row(b"1."),
    "a number in a string": row(b'"1"'),
    "NUL before the text": text(b"\0" + SMALL),
    "NUL behind the text": text(SMALL + b"\0"),
    "NUL in a number": row(b"1\0"),
    "NUL in a string": text(b'{"id": "a\0b", "input": [1, 2, 3, 4]}'),
    "an overlong slash": text(b'{"id": "\xc0\xaf", "input": [1, 2, 3, 4]}'),
    "a surrogate in UTF-8": text(b'{"id": "\xed\xa0\x80", "input": [1, 2, 3, 4]}'),
    "a lone escaped surrogate": text(rb'{"id": "\ud800", "input": [1, 2, 3, 4]}'),
    "beyond Unicode": text(b'{"id": "\xf4\x90\x80\x80", "input": [1, 2, 3, 4]}'),
    "a byte order mark": text(b"\xef\xbb\xbf" + SMALL),
    "UTF-16": text(SMALL.decode().encode("utf-16")),
    "a shape whose product is 2 to the 64": flat("[4294967296, 4294967296]"),
    "a shape whose product is 4 modulo 2 to the 64": flat("[4611686018427387905, 4]"),
    "the largest shape": flat("[9223372036854775807]"),
    "beyond the largest shape": flat("[9223372036854775808]"),
    "a negative shape": flat("[-1, -4]"),
    "a shape of fractions": flat("[0.5, 8]"),
    "no rows that are too wide": flat("[0, 5]", "[]"),
    "rows of nothing": flat("[4, 0]", "[]"),
    "no dimensions": flat("[]", "[]"),
    "nine dimensions": flat("[1, 1, 1, 1, 1, 1, 1, 1, 4]"),
    "a million dimensions": flat("[" + "1," * 1_000_000 + "4]"),
    "ragged rows": text(b'{"input": [[1, 2, 3, 4], [1, 2, 3]]}'),
    "a row and a number": text(b'{"input": [[1, 2, 3, 4], 5]}'),
    "a size that is less": binary(12),
    "a size that is more": binary(20),
    "a size of nothing": binary(0),
    "a negative size": binary(-16),
    "a size of 2 to the 63": binary(2**63),
    "bytes that nobody claims": binary(16, bytes(20)),
    "bytes that are missing": binary(16, bytes(12)),
    "a header beyond the content": binary(16, header=1 << 20),
    "a header of 2 to the 64": binary(16, header=2**64),
    "a negative header": binary(16, header=-1),
    "a header that ends in the JSON": binary(16, header=40),
    "a shape that overflows in binary": binary(16, shape="[4294967296, 4294967296, 4]"),
    "gzip twice": ("/v1/ffn", gzip.compress(gzip.compress(SMALL)), (JSON, "Content-Encoding: gzip, gzip")),
    "no gzip": ("/v1/ffn", SMALL, (JSON, "Content-Encoding: gzip")),
    "gzip that is cut": ("/v1/ffn", gzip.compress(SMALL)[:-9], (JSON, "Content-Encoding: gzip")),
    "gzip with something behind it": ("/v1/ffn", gzip.compress(SMALL) + b" ", (JSON, "Content-Encoding: gzip")),
    "gzip with a wrong checksum": ("/v1/ffn", gzip.compress(SMALL)[:-8] + bytes(8), (JSON, "Content-Encoding: gzip")),
}


def wrong_content(connect, chance: random.Random) -> str | None:
    name, (path, body, fields) = chance.choice(list(WRONG.items()))
    with connect() as connection:
        answer = outcome(connection, post(body, path, *fields))
    return None if 400 <= status(answer) < 500 else f"{name}: {answer[:300]!r}"


@functools.cache
def bomb() -> bytes:
    """A gigabyte of zeros in a megabyte of gzip."""
    coder = zlib.compressobj(9, wbits=31)
    return b"".join(coder.compress(bytes(1 << 22)) for _ in range(256)) + coder.flush()


def gzip_bomb(connect, chance: random.Random) -> str | None:
    message = post(bomb(), "/v1/ffn", JSON, "Content-Encoding: gzip")
    with connect() as connection:
        answer = outcome(connection, message)
    # Zeros are no JSON, which is seen before they are too many.
    return None if status(answer) in (400, 413) else f"{answer[:300]!r}"


# Floods: more of something than there may be.

def fields_flood(connect, chance: random.Random) -> str | None:
    count = chance.choice([101, 2_000, 200_000])
    with connect() as connection:
        answer = outcome(connection, LIVE[:-2] + b"".join(b"X-%d: y\r\n" % number for number in range(count)) + b"\r\n")
    return None if status(answer) == 431 else f"{count} fields: {answer[:200]!r}"


def chunks(extensions: list[bytes]) -> bytes:
    head = f"POST /v1/ffn HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"1%s\r\n \r\n" % extension for extension in extensions) + b"0\r\n\r\n"


def extensions_flood(connect, chance: random.Random) -> str | None:
    extensions = chance.choice([[b";a=" + b"b" * 300], [b";a=b"] * 20_000, [b";a" * 60] * 1000])
    with connect() as connection:
        answer = outcome(connection, chunks(extensions))
    return None if status(answer) == 400 else f"{len(extensions)} extensions: {answer[:200]!r}"


def small_chunks(connect, chance: random.Random) -> str | None:
    """A text of spaces, an octet a chunk: tiresome, and no JSON at the end."""
    with connect() as connection:
        answer = outcome(connection, chunks([b""] * 50_000))
    return None if status(answer) == 400 else f"{answer[:200]!r}"


def pipelined_flood(connect, chance: random.Random) -> str | None:
    """Each answer has the name that its request gave itself, in the order of the requests."""
    count = 1000
    names = [f"{chance.randrange(1 << 60):x}-{number}" for number in range(count)]
    head = f"POST /v1/ffn HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {len(SMALL)}\r\n"
    messages = [f"{head}X-Request-Id: {name}\r\n\r\n".encode() + SMALL for name in names]
    with connect() as connection:
        # Nobody sends 250 KB to a server that waits for its answers to be read.
        sender = threading.Thread(target=connection.sendall, args=(b"".join(messages),))
        sender.start()
        answer = b""
        while len(re.findall(REQUEST_ID, answer)) < count and (part := connection.recv(1 << 16)):
            answer += part
        sender.join()
    found = re.findall(REQUEST_ID, answer)
    if [name.decode() for name in found] == names:
        return None
    return f"{len(found)} of {count} answers, or out of order; it ends {answer[-200:]!r}"


# Slowness: each of these holds its connection for as long as it is let.

def is_cut_off(connection: socket.socket, seconds: float, drip=lambda: None) -> bool:
    """Whether the server ends a connection within a time; meanwhile something is done five times a second."""
    deadline = time.monotonic() + seconds + SLACK
    connection.settimeout(0.2)
    try:
        while time.monotonic() < deadline:
            drip()
            try:
                if not connection.recv(1 << 16):
                    return True
            except TimeoutError:
                pass
    except OSError:
        return True
    return False


def silence(connect, chance: random.Random) -> str | None:
    with connect() as connection:
        return None if is_cut_off(connection, TIMES["head"]) else "a silent connection was kept"


def slow_head(connect, chance: random.Random) -> str | None:
    drops = chance.choice([b"X: y\r\n", b"G"])
    with connect() as connection:
        if drops != b"G":
            connection.sendall(LIVE[:-2])
        kept = not is_cut_off(connection, TIMES["head"] + TIMES["linger"], lambda: connection.sendall(drops))
    return "a head that never ended was waited for" if kept else None


def slow_body(connect, chance: random.Random) -> str | None:
    head = post(b" " * 1_000_000, "/v1/ffn", JSON)[:-1_000_000]
    coded = chance.random() < 0.5
    with connect() as connection:
        connection.sendall(chunks([])[:-5] if coded else head)
        drop = b"1\r\n \r\n" if coded else b" "
        kept = not is_cut_off(connection, TIMES["body"] + TIMES["linger"], lambda: connection.sendall(drop))
    return "a body of five octets a second was waited for" if kept else None


def slow_reader(connect, chance: random.Random) -> str | None:
    """Asks for forty megabytes and takes fifty octets a second."""
    count = 400
    with connect() as connection:
        try:
            connection.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n" * count)
            for _ in range(5 * (TIMES["write"] + 5)):
                connection.recv(10)
                time.sleep(0.2)
            answer = b""
            while part := connection.recv(1 << 20):
                answer += part[-20:]
        except ConnectionError:
            return None
    return f"a slow reader got all of {count} answers" if answer.count(b"HTTP/1.1 ") == count else None


def never_reads(connect, chance: random.Random) -> str | None:
    """Sends requests for as long as it can and takes no answer."""
    with connect() as connection:
        connection.settimeout(TIMES["write"] + SLACK)
        try:
            while True:
                connection.sendall(LIVE * 1000)
        except TimeoutError:
            return "a client that takes no answers was kept"
        except ConnectionError:
            return None


def half_closed(connect, chance: random.Random) -> str | None:
    """Ends its side at once: what was complete is answered, and nothing else."""
    complete = post(SMALL, "/v1/ffn", JSON)
    with connect() as connection:
        cut = chance.randrange(len(complete) + 1)
        connection.sendall(complete[:cut])
        connection.shutdown(socket.SHUT_WR)
        answer = outcome(connection, b"")
    right = status(answer) == 200 if cut == len(complete) else status(answer) != 200
    return None if right else f"{cut} of {len(complete)} octets: {answer[:200]!r}"


def reset(connect, chance: random.Random) -> str | None:
    """Goes without a farewell in the head, in the body, or before the answers are read."""
    message = post(SMALL, "/v1/ffn", JSON) * chance.choice([1, 20])
    with connect() as connection:
        connection.sendall(message[:chance.randrange(len(message) + 1)])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return None


ATTACKS = [wrong_content, wrong_content, wrong_content, wrong_content, gzip_bomb, fields_flood, extensions_flood,
           small_chunks, pipelined_flood, silence, slow_head, slow_body, slow_reader, never_reads, half_closed,
           half_closed, reset, reset]
