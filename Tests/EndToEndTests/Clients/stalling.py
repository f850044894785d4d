"""Stops a load test in its midst for a known time, and holds what it reports against that.

    stalling.py COMMAND [ARGUMENT …]

Listens, runs the command with `{port}` in its arguments replaced, stops it (SIGSTOP) at its first request until 50 ms are
over, and answers it afterwards. Every thread of the command stood for at least that long.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
stood_ms = 0.0
once = threading.Lock()


def stop(process: subprocess.Popen) -> None:
    global stood_ms
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    begin = time.monotonic()
    while time.monotonic() < begin + 0.05:
        os.sched_yield()
    stood_ms = (time.monotonic() - begin) * 1e3
    os.kill(process.pid, signal.SIGCONT)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    command = [argument.replace("{port}", str(port)) for argument in sys.argv[1:]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                if once.acquire(blocking=False):
                    stop(process)
                connection.sendall(REPLY)

    def accept() -> None:
        # The first one, with which the program finds out whether there is a server, asks for nothing.
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    report = json.loads(process.communicate()[0])
    # Each was due within 5 ms of the stop: the requests by their rate, the meter's threads every millisecond.
    for name in ("hiccup_max_ms", "late_max_ms", "max_ms"):
        if report[name] < stood_ms - 5:
            sys.exit(f"{name} is {report[name]}, but all stood for {stood_ms} ms: {report}")


if __name__ == "__main__":
    main()
