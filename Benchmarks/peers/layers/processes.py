"""Programs that measure one layer a turn at a time: `sluice bench --turns`, and the engines beside it."""

import json
import os
import pathlib
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent.parent
BUILT = ROOT / ".build/peers-engine"

# What an arithmetic of ours stands beside: engine and variant. More than one of an engine where it has several ways.
BESIDE = {
    "f32": [("oneDNN", "f32"), ("ONNX Runtime", "f32"), ("OpenVINO", "f32"), ("PyTorch", "f32")],
    "bf16": [("oneDNN", "bf16"), ("OpenVINO", "bf16"), ("PyTorch", "bf16")],
    "int8": [("oneDNN", "int8"), ("ONNX Runtime", "int8"), ("ONNX Runtime", "int8-groups"), ("OpenVINO", "int8"),
             ("PyTorch", "int8")],
    "int4": [("ONNX Runtime", "int4-groups"), ("OpenVINO", "int4-groups"), ("PyTorch", "int4-groups")],
}
SCRIPTS = {"ONNX Runtime": "onnxruntime_layer.py", "OpenVINO": "openvino_layer.py", "PyTorch": "torch_layer.py"}

# Threads of the one before go to sleep meanwhile.
SETTLING = 0.02


class Absent(Exception):
    """An engine that is not installed, or does not do what was asked."""


class Engine:
    """One process with one layer."""

    def __init__(self, name: str, command: list[str], threads: int):
        self.name, self.command = name, command
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment)

    def ready(self) -> dict:
        """Waits until the layer is there; what the engine says about itself."""
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"record": "ended"}
        if answer["record"] == "ready":
            return answer
        said = answer.get("reason") or (self.process.stderr.read().strip().splitlines() or ["it ended"])[-1]
        self.close()
        raise Absent(f"{self.name}: {said}")

    def turn(self, rows: int, seconds: float) -> tuple[float, float]:
        """The median and the least of the turn's passes, in µs."""
        time.sleep(SETTLING)
        self.process.stdin.write(f"{rows} {seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Absent(f"{self.name}: {(self.process.stderr.read().strip().splitlines() or ['it ended'])[-1]}")
        answer = json.loads(line)
        return answer["median_us"], answer["least_us"]

    def close(self) -> None:
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Peers:
    """The engines that are installed: oneDNN where there is a compiler and libdnnl-dev, the others in a Python of
    their own (the variable PYTHON names another)."""

    def __init__(self, threads: int):
        self.threads = threads
        BUILT.mkdir(parents=True, exist_ok=True)
        self.onednn = self._compiled()
        self.python = os.environ.get("PYTHON") or self._environment()

    def start(self, engine: str, variant: str, shape: str) -> Engine:
        widths = shape.split("x")
        if engine == "oneDNN":
            if not self.onednn:
                raise Absent("oneDNN: needs g++ and libdnnl-dev")
            return Engine(f"{engine} {variant}", [str(self.onednn), *widths, variant], self.threads)
        return Engine(f"{engine} {variant}",
                      [self.python, str(FOLDER / SCRIPTS[engine]), *widths, variant, str(self.threads)], self.threads)

    @staticmethod
    def _compiled() -> pathlib.Path | None:
        source, program = FOLDER / "onednn.cpp", BUILT / "onednn"
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            return program
        try:
            subprocess.run(["g++", "-O2", "-std=c++17", str(source), "-ldnnl", "-o", str(program)], check=True,
                           capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return program

    @staticmethod
    def _environment() -> str:
        """A Python with what requirements.txt lists; without it where that cannot be installed."""
        requirements, environment = FOLDER / "requirements.txt", BUILT / "venv"
        python, installed = environment / "bin/python", environment / "installed"
        if installed.exists() and installed.read_text() == requirements.read_text():
            return str(python)
        print(f"engine: installing the peers in {environment}", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "--requirement",
                            str(requirements)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"engine: they cannot be installed: {error}", file=sys.stderr)
            return sys.executable
        installed.write_text(requirements.read_text())
        return str(python)
