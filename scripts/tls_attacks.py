"""Attacks on a listener with TLS, each as those of attacks.py."""

import random
import socket
import ssl
import subprocess

from attacks import JSON, LIVE, SMALL, TIMES, is_cut_off, outcome, post, reset, silence, status


class Secured:
    """A client's TLS whose records stay in the hands of the attack."""

    def __init__(self, connection: socket.socket, name: str = "localhost", protocols=("http/1.1",), newest=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        if newest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def hello(self) -> bytes:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def shake_hands(self) -> None:
        while True:
            try:
                return self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.connection.sendall(self.outgoing.read())
                if not (part := self.connection.recv(1 << 16)):
                    raise ConnectionError("the handshake was ended") from None
                self.incoming.write(part)

    def records(self, content: bytes) -> bytes:
        self.tls.write(content)
        return self.outgoing.read()

    def answer(self, is_last: bool = False) -> bytes:
        """What comes until the connection ends; `is_last`: after nothing more is sent."""
        answer = b""
        try:
            if is_last:
                self.connection.shutdown(socket.SHUT_WR)
            while part := self.next():
                answer += part
        except (ConnectionError, ssl.SSLError):
            pass  # as an end
        return answer

    def next(self) -> bytes:
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                if not (part := self.connection.recv(1 << 16)):
                    return b""
                self.incoming.write(part)


def hanging_handshake(connect, chance: random.Random) -> str | None:
    with connect() as connection:
        hello = Secured(connection).hello()
        connection.sendall(hello[:chance.choice([0, 1, 5, len(hello) // 2, len(hello)])])
        kept = not is_cut_off(connection, TIMES["handshake"] + TIMES["linger"])
    return "a handshake that went no further was waited for" if kept else None


def broken_handshake(connect, chance: random.Random) -> str | None:
    with connect() as connection:
        hello = bytearray(Secured(connection).hello())
        for _ in range(chance.randrange(1, 5)):
            hello[chance.randrange(len(hello))] = chance.randrange(256)
        connection.sendall(chance.choice([bytes(hello), chance.randbytes(2000), hello[:5] + chance.randbytes(1 << 14)]))
        kept = not is_cut_off(connection, TIMES["handshake"] + TIMES["linger"])
    return "what was no handshake was waited for" if kept else None


def strange_name(connect, chance: random.Random) -> str | None:
    name = chance.choice(["nobody.example", "a." * 100 + "b", "xn--80ak6aa92e.com", "127.0.0.1"])
    with connect() as connection:
        secured = Secured(connection, name)
        secured.shake_hands()
        connection.sendall(secured.records(post(SMALL, "/v1/ffn", JSON)))
        answer = secured.answer()
    return None if status(answer) == 200 else f"asked as {name}: {answer[:200]!r}"


def refused_offer(connect, chance: random.Random) -> str | None:
    offer = chance.choice([{"protocols": ("h2",)}, {"newest": ssl.TLSVersion.TLSv1_1}])
    with connect() as connection:
        try:
            Secured(connection, **offer).shake_hands()
        except (OSError, ValueError):
            return None
    return f"the server took {offer}"


def broken_records(connect, chance: random.Random) -> str | None:
    """A request whose record is cut, or changed: there is no answer, and an end."""
    with connect() as connection:
        secured = Secured(connection)
        secured.shake_hands()
        records = bytearray(secured.records(post(SMALL, "/v1/ffn", JSON)))
        if chance.random() < 0.5:
            del records[chance.randrange(len(records)):]
        else:
            records[chance.randrange(5, len(records))] ^= 1 << chance.randrange(8)
        connection.sendall(records)
        answer = secured.answer(is_last=True)
    return f"{answer[:200]!r}" if answer else None


def in_clear(connect, chance: random.Random) -> str | None:
    with connect() as connection:
        answer = outcome(connection, LIVE)
    return None if status(answer) == 400 else f"{answer[:200]!r}"


ATTACKS = [hanging_handshake, broken_handshake, broken_handshake, strange_name, refused_offer, broken_records,
           broken_records, in_clear, silence, reset]


def make_certificate(folder: str) -> list[str]:
    """The flags of a server with a certificate made on the spot."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)
    return ["--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem"]
