"""Eight clients ask while a model is exchanged under them: nobody is failed, and each answer is of one of the weights that
were there between its question and its answer. After unloading the memory has gone back.

    exchange_models.py PORT REPOSITORY PID
"""

import array
import http.client
import json
import os
import sys
import threading
import time

from bare_layer import write_layer

port, repository, pid = int(sys.argv[1]), sys.argv[2], sys.argv[3]
D_MODEL, D_FF = 1024, 4096
WEIGHTS_BYTES = 3 * 4 * D_MODEL * D_FF
file = os.path.join(repository, "m.safetensors")
row = array.array("f", [1.0]) * D_MODEL
scales = [1.0]  # of every load so far, the last of which may be under way
loaded = 0  # places in `scales` that have been loaded
stop = threading.Event()
failures, answers = [], [0] * 8


def post(connection, path, body, **fields):
    connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in fields.items()})
    response = connection.getresponse()
    return response, response.read()


def infer(connection):
    """The one number that all of the output's are."""
    response, body = post(connection, "/v2/models/m/infer", row.tobytes(), Inference_Header_Content_Length="0")
    if response.status != 200:
        raise AssertionError(f"{response.status}: {body!r}")
    output = array.array("f", body[int(response.headers["Inference-Header-Content-Length"]) :])
    if len(output) != D_MODEL or max(output) - min(output) > 1e-4 * max(output):
        raise AssertionError(f"rows of two models: {min(output)}…{max(output)}")
    return output[0]


def ask(client):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        while not stop.is_set():
            oldest = loaded
            value = infer(connection)
            possible = scales[oldest:]
            if not any(abs(value - scale) < 1e-3 * scale for scale in possible):
                raise AssertionError(f"{value} is none of {possible}")
            answers[client] += 1
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        failures.append(repr(error))


def resident():
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


control = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
write_layer(file, D_MODEL, D_FF, scales[0])
response, body = post(control, "/v2/repository/models/m/load", "{}")
assert response.status == 200, body
clients = [threading.Thread(target=ask, args=(client,)) for client in range(8)]
for client in clients:
    client.start()
for scale in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0):
    write_layer(file, D_MODEL, D_FF, scale)
    scales.append(scale)
    response, body = post(control, "/v2/repository/models/m/load", "")
    assert response.status == 200, body
    loaded += 1
# A checkpoint that cannot be served leaves the running one.
with open(file + ".part", "wb") as broken:
    broken.write(b"no safetensors at all")
os.rename(file + ".part", file)
response, body = post(control, "/v2/repository/models/m/load", "")
assert response.status == 422 and "m" in json.loads(body)["error"], body
assert abs(infer(control) - 64.0) < 0.1
stop.set()
for client in clients:
    client.join()
assert not failures, failures
assert min(answers) > 0, answers

before = resident()
response, body = post(control, "/v2/repository/models/m/unload", "")
assert response.status == 200, body
# The worker of the last answer lets go of the weights when it next has its turn; then this is all of it, but for what the
# allocator keeps of smaller things.
patience = time.monotonic() + 60
while before - resident() <= WEIGHTS_BYTES * 3 // 4 and time.monotonic() < patience:
    post(control, "/v2/repository/index", "")
assert before - resident() > WEIGHTS_BYTES * 3 // 4, (before, resident())
response, body = post(control, "/v2/models/m/infer", row.tobytes(), Inference_Header_Content_Length="0")
assert response.status == 404 and "error" in json.loads(body), body
print(f"{sum(answers)} answers, {before >> 20} MiB before unloading, {resident() >> 20} MiB after")
