"""What the benchmarks that put load on a server have in common: a run of wrk, and the server's processor time."""

import os
import pathlib
import re
import shutil
import subprocess
import sys


def needs_wrk() -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")


def microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, its own and the system's for it."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processes_of_session(session: int) -> list[tuple[int, float]]:
    """The live processes of a session, each with its processor time in seconds."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session:
            found.append((int(folder.name), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")))
    return found


def cpu_seconds_of_session(session: int) -> float:
    return sum(seconds for _, seconds in processes_of_session(session))


def resident_bytes_of_session(session: int) -> int:
    """Proportional set sizes: memory that several processes share is counted once."""
    total = 0
    for pid, _ in processes_of_session(session):
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE).group(1)) * 1024
    return total


def load(url: str, connections: int, seconds: int, script: str, environment: dict[str, str]) -> dict[str, float]:
    """One run of wrk: requests, requests a second, the median and 99th percentile of the latency in µs, and failures."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "60s", "--latency", "-s", script,
               url]
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    failures = re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    for line in re.findall(r"Socket errors: (.*)", text):
        failures += re.findall(r"\d+", line)
    found = {"failures": sum(map(int, failures)), "requests": float(re.search(r"(\d+) requests in", text).group(1)),
             "rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", text).group(1))}
    for percentile in ("50%", "99%"):
        found[percentile] = microseconds(re.search(rf"^\s+{percentile}\s+(\S+)", text, re.MULTILINE).group(1))
    return found
