"""What the benchmarks of whole services have in common: the services, their requests, and a running one of each."""

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path += [str(HERE.parent), str(ROOT / "scripts")]


POST = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = os.getenv("CONTENT_TYPE")
local header = os.getenv("HEADER_LENGTH")
if header ~= "" then wrk.headers["Inference-Header-Content-Length"] = header end
"""


@dataclasses.dataclass(frozen=True)
class Service:
    name: str
    arithmetic: str
    encoding: str  # json or binary
    kind: str  # sluice, fastapi or triton
    needs: tuple[str, ...] = ()
    engine: str = ""

    @property
    def path(self) -> str:
        return "/v1/ffn" if self.encoding == "json" else "/v2/models/ffn/infer"


SERVICES = [
    Service("sluice", "f32", "json", "sluice"),
    Service("sluice-bf16", "bf16", "json", "sluice"),
    Service("sluice-binary", "f32", "binary", "sluice"),
    Service("fastapi-onnxruntime", "f32", "json", "fastapi", ("fastapi", "onnxruntime", "onnx"), "onnxruntime"),
    Service("fastapi-openvino", "f32", "json", "fastapi", ("fastapi", "openvino"), "openvino"),
    Service("fastapi-openvino-bf16", "bf16", "json", "fastapi", ("fastapi", "openvino"), "openvino"),
    Service("triton-onnxruntime", "f32", "binary", "triton", ("pytriton", "onnxruntime", "onnx"), "onnxruntime"),
    Service("triton-openvino", "f32", "binary", "triton", ("pytriton", "openvino"), "openvino"),
]
# Characters of the log of a service that did not start.
LOG_SHOWN = 2000
# Of the norm, against float64.
TOLERANCE = {"f32": 1e-5, "bf16": 1e-2}
# The repository's name of the model in Triton and in Sluice, and of its tensors.
TRITON_CONFIGURATION = """
name: "ffn"
backend: "python"
max_batch_size: 256
input [{{ name: "input", data_type: TYPE_FP32, dims: [{width}] }}]
output [{{ name: "output", data_type: TYPE_FP32, dims: [{width}] }}]
instance_group [{{ kind: KIND_CPU, count: 1 }}]
dynamic_batching {{ }}
"""


class Bodies:
    """A request and its right answer for each number of rows."""

    def __init__(self, folder: pathlib.Path, weights: pathlib.Path, rows: list[int]):
        import feed_forward
        import numpy

        self.folder, self.answers = folder, {}
        gate, up, down = (matrix.astype(numpy.float64) for matrix in feed_forward.weights(str(weights)))
        for count in rows:
            x = numpy.random.default_rng(count).standard_normal((count, gate.shape[1]), dtype=numpy.float32)
            a = x @ gate.T
            self.answers[count] = (a / (1 + numpy.exp(-a)) * (x @ up.T)) @ down.T
            nested = ",".join("[" + ",".join(map(str, row)) + "]" for row in x)
            (folder / f"{count}.json").write_text('{"input":[' + nested + "]}")
            header = json.dumps({
                "inputs": [{"name": "input", "shape": list(x.shape), "datatype": "FP32",
                            "parameters": {"binary_data_size": x.nbytes}}],
                "outputs": [{"name": "output", "parameters": {"binary_data": True}}]}, separators=(",", ":")).encode()
            (folder / f"{count}.binary").write_bytes(header + x.tobytes())
            (folder / f"{count}.binary.header").write_text(str(len(header)))

    def path(self, service: Service, rows: int) -> pathlib.Path:
        return self.folder / f"{rows}.{service.encoding}"

    def fields(self, service: Service, rows: int) -> dict[str, str]:
        if service.encoding == "json":
            return {"Content-Type": "application/json"}
        length = pathlib.Path(f"{self.path(service, rows)}.header").read_text()
        return {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": length}

    def error(self, service: Service, rows: int, answer: bytes, fields) -> float:
        """Relative error of the answer's norm."""
        import numpy

        if service.encoding == "json":
            found = numpy.array(json.loads(answer)["output"])
        else:
            found = numpy.frombuffer(answer[int(fields["Inference-Header-Content-Length"]):], dtype=numpy.float32)
        wanted = self.answers[rows]
        return float(numpy.linalg.norm(found.reshape(wanted.shape) - wanted) / numpy.linalg.norm(wanted))


class EndedEarly(Exception):
    """A service did not come up."""


class Running:
    """A service on a port of its own, in a session of its own."""

    def __init__(self, service: Service, weights: pathlib.Path, width: int, threads: int, binary: str, log):
        self.service = service
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.scratch = tempfile.TemporaryDirectory()
        environment = dict(os.environ, WEIGHTS=str(weights), THREADS=str(threads), ENGINE=service.engine,
                           PRECISION=service.arithmetic, PYTHONPATH=str(HERE))
        command = {"sluice": self.sluice, "fastapi": self.fastapi, "triton": self.triton}[service.kind](
            binary, weights, width, environment)
        self.log = log
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def sluice(self, binary, weights, _, __):
        return [binary, "serve", "--host", "127.0.0.1", "--port", str(self.port), "--model", f"ffn={weights.parent}",
                "--compute", self.service.arithmetic, "--no-access-log"]

    def fastapi(self, *_):
        return [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", str(self.port),
                "--log-level", "warning", "--no-access-log"]

    def triton(self, _, __, width, environment):
        import sysconfig

        packages = pathlib.Path(importlib.util.find_spec("pytriton").origin).parent
        server = packages / "tritonserver"
        scratch = pathlib.Path(self.scratch.name)
        model, backend = scratch / "models/ffn", scratch / "backends/python"
        (model / "1").mkdir(parents=True)
        (model / "config.pbtxt").write_text(TRITON_CONFIGURATION.format(width=width))
        shutil.copy(HERE / "triton_model.py", model / "1/model.py")
        shutil.copy(HERE / "feed_forward.py", model / "1")
        shutil.copytree(server / "backends/python", backend)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub = shutil.copy(server / f"python_backend_stubs/{version}/triton_python_backend_stub", backend)
        os.chmod(stub, 0o755)
        environment["LD_LIBRARY_PATH"] = f"{sysconfig.get_config_var('LIBDIR')}:{packages.parent}/nvidia_pytriton.libs"
        environment["PYTHONPATH"] += f":{packages.parent}"
        environment["PATH"] = f"{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
        return [str(server / "bin/tritonserver"), "--model-repository", str(scratch / "models"),
                "--backend-directory", str(scratch / "backends"), "--http-address", "127.0.0.1",
                "--http-port", str(self.port), "--allow-grpc", "false", "--allow-metrics", "false"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.service.path}"

    def ask(self, bodies: Bodies, rows: int) -> tuple[bytes, dict]:
        request = urllib.request.Request(
            self.url, bodies.path(self.service, rows).read_bytes(), bodies.fields(self.service, rows))
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read(), answer.headers

    def wait(self, bodies: Bodies) -> float:
        """Seconds from the start of the process to its first answer, which is checked."""
        while True:
            if self.process.poll() is not None:
                raise EndedEarly(f"it ended with {self.process.returncode} before it answered; its log ends with\n"
                                 f"{pathlib.Path(self.log.name).read_text()[-LOG_SHOWN:]}")
            try:
                answer, fields = self.ask(bodies, min(bodies.answers))
                break
            except (OSError, urllib.error.URLError):
                if time.monotonic() - self.started > 120:
                    raise
                time.sleep(0.005)
        seconds = time.monotonic() - self.started
        for rows in bodies.answers:
            answer, fields = self.ask(bodies, rows)
            error = bodies.error(self.service, rows, answer, fields)
            if not error <= TOLERANCE[self.service.arithmetic]:
                raise RuntimeError(f"{self.service.name} answers {rows} rows with a relative error of {error}")
        return seconds

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.scratch.cleanup()


def chosen(names: list[str]) -> list[Service]:
    services = []
    for name in names:
        service = next((service for service in SERVICES if service.name == name), None)
        if service is None:
            sys.exit(f"there is no service {name}; there are {', '.join(service.name for service in SERVICES)}")
        missing = [package for package in service.needs if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name} is left out: {', '.join(missing)} is not installed (requirements.txt)", file=sys.stderr)
        else:
            services.append(service)
    return services


def make_checkpoint(folder: pathlib.Path, d_model: int, d_ff: int) -> pathlib.Path:
    """The file of the weights."""
    subprocess.run([sys.executable, str(ROOT / "scripts/make-checkpoint.py"), str(folder), "--d-model", str(d_model),
                    "--d-ff", str(d_ff)], check=True, stdout=subprocess.DEVNULL)
    return folder / "model.safetensors"


def wrk_environment(bodies: Bodies, service: Service, rows: int) -> dict[str, str]:
    """What POST reads."""
    fields = bodies.fields(service, rows)
    return dict(os.environ, BODY=str(bodies.path(service, rows)), CONTENT_TYPE=fields["Content-Type"],
                HEADER_LENGTH=fields.get("Inference-Header-Content-Length", ""))
