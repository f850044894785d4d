"""Starts a benchmark that would take hours, sends SIGINT once it has begun, and prints what it said."""

import signal
import subprocess
import sys

program = subprocess.Popen(
    [sys.argv[1], "bench", "--shapes", "64x96", "--rows", "1", "--compute", "f32", "--seconds", "3600", "--json"],
    stdout=subprocess.PIPE, text=True)
print(program.stdout.readline(), end="", flush=True)
program.send_signal(signal.SIGINT)
print(program.communicate(timeout=60)[0], end="")
sys.exit(program.returncode)
