"""Stops a server whose log nobody reads any more.

    unread.py COMMAND [ARGUMENT …]

Starts the command (sluice serve with `--log-format json --port 0`), reads its log up to the line that says ready, and not
further: then requests are made until their lines fill the pipe, and SIGTERM is sent. Ends with the
command's exit code, which is there once it has ended.
"""

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys

PIPE_BYTES = 4096


def main() -> None:
    process = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, bufsize=0)
    log = process.stderr
    fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    while True:
        event = json.loads(log.readline())
        if event["message"] == "ready":
            break
    connection = http.client.HTTPConnection(event["addresses"][0])
    # A line has more than 100 bytes.
    for _ in range(2 * PIPE_BYTES // 100):
        connection.request("GET", "/v1/models")
        connection.getresponse().read()
    connection.close()
    os.kill(process.pid, signal.SIGTERM)
    try:
        sys.exit(process.wait(timeout=60))
    finally:
        process.kill()


if __name__ == "__main__":
    main()
