"""Processes of a check: servers at ports of the system's choice, started, waited for and ended with the `with`."""

import contextlib
import http.client
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request


class Failure(Exception):
    """A check did not hold; the text says what was found in place of what."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(what: str, found, seconds: float = 20):
    """Asks `found` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError, ConnectionError):
            value = found()
            if value:
                return value
        time.sleep(0.1)
    raise Failure(f"not within {seconds:.0f} s: {what}")


def tool(name: str) -> str:
    """The path of a program, also where only root's PATH has it."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or name


def get(url: str, timeout: float = 5) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout) as reply:
        return reply.read()


class Process:
    """One program for as long as the `with` lasts; its output goes to a file, shown where it ends too early."""

    def __init__(self, command: list[str], log: pathlib.Path, ready):
        self.command, self.log, self.ready = command, log, ready
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def start(self) -> None:
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=subprocess.STDOUT)

        def started():
            if self.process.poll() is not None:
                raise Failure(f"{self.command[0]} ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
            return self.ready()

        until(f"{self.command[0]} is ready", started)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(timeout=30)

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def replica(binary: str, folder: pathlib.Path, name: str, *arguments: str, port: int | None = None) -> Process:
    """A `sluice serve` with its `port` and `address` beside it."""
    port = port or free_port()
    command = [binary, "serve", "--host", "127.0.0.1", "--port", str(port), "--no-access-log", *arguments]
    found = Process(command, folder / f"{name}.log", lambda: get(f"http://127.0.0.1:{port}/readyz"))
    found.port, found.address = port, f"127.0.0.1:{port}"
    return found


def nginx(folder: pathlib.Path, source: pathlib.Path, port: int, edits: dict[str, str]) -> Process:
    """nginx over a copy of the files of deploy/nginx, with its port and whatever else is replaced in them."""
    place = folder / f"nginx-{port}"
    (place / "temp").mkdir(parents=True)
    for path in source.glob("*.conf"):
        text = path.read_text()
        here = {"listen 8080;": f"listen 127.0.0.1:{port};", " /tmp/": f" {place}/temp/",
                "access_log /dev/stdout": f"access_log {place}/access.log"}
        for old, new in (here | edits).items():
            text = text.replace(old, new)
        (place / path.name).write_text(text)
    command = [tool("nginx"), "-p", str(place), "-c", str(place / "nginx.conf"), "-g", "daemon off;"]

    def listens():
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True

    found = Process(command, place / "nginx.log", listens)
    found.address, found.access = f"127.0.0.1:{port}", place / "access.log"
    return found


class Traffic:
    """Clients that ask one after the other over kept connections, in threads, until the `with` ends."""

    def __init__(self, address: str, path: str, content: bytes, clients: int = 8):
        self.address, self.path, self.content = address, path, content
        self.stopping = threading.Event()
        self.answers = 0
        self.outputs: set[str] = set()
        self.failures: list[str] = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(clients)]

    def ask(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        while not self.stopping.is_set():
            try:
                connection.request("POST", self.path, self.content, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                text = reply.read()
                failure = None if reply.status == 200 else f"{reply.status}: {text[:200]!r}"
                output = json.dumps(json.loads(text)["output"]) if reply.status == 200 else None
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure, output = repr(error), None
                connection.close()
            with self.lock:
                self.answers += 1
                if failure:
                    self.failures.append(failure)
                else:
                    self.outputs.add(output)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def more(self, answers: int, seconds: float = 30) -> None:
        """Waits for so many more answers."""
        goal = self.answers + answers
        until(f"{answers} more answers through {self.address}", lambda: self.answers >= goal, seconds)

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=35)
