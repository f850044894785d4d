"""Asks for rows one after the other, then with several clients at once until some of them share a batch.

    concurrent.py PORT D_MODEL CLIENTS [MODEL...]

Each client has rows of its own and a connection of its own, and sends them again and again. Every answer must have the
very digits of the same rows sent alone; prints the most requests that were seen in one batch. Clients take the models
in turn, the default one where none is named; for MODEL+ they choose two of its experts themselves.
"""

import http.client
import json
import random
import sys
import threading

port, d_model, clients = map(int, sys.argv[1:4])
models = sys.argv[4:] or [""]
rounds_limit = 2000


def connect():
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def ask(connection, body):
    connection.request("POST", "/v1/ffn", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    if response.status != 200:
        raise SystemExit(f"status {response.status}: {text}")
    # The digits as they stand in the reply: floats that print alike are alike, -0 and 0 are not.
    output = text[text.index('"output":') : text.index('"timing":')]
    return output, json.loads(text)["timing"]["batch_requests"]


random.seed(1)


def body(client):
    rows = 1 + client % 3
    request = {"input": [[random.uniform(-1, 1) for _ in range(d_model)] for _ in range(rows)]}
    model = models[client % len(models)]
    if model:
        request["model"] = model.rstrip("+")
    if model.endswith("+"):
        request["experts"] = {"indices": [[client % 4, 5]] * rows, "weights": [[0.25, 0.75]] * rows}
    return json.dumps(request)


bodies = [body(client) for client in range(clients)]
alone = connect()
expected = []
for text in bodies:
    output, batch_requests = ask(alone, text)
    if batch_requests != 1:
        raise SystemExit("nobody else was there, and the request was not alone")
    expected.append(output)

most = 1
failures = []
finished = threading.Event()
start = threading.Barrier(clients)


def client(index):
    global most
    connection = connect()
    start.wait()
    for _ in range(rounds_limit):
        if finished.is_set():
            return
        try:
            output, batch_requests = ask(connection, bodies[index])
        except (SystemExit, OSError, http.client.HTTPException) as error:
            failures.append(f"client {index}: {error!r}")
            finished.set()
            return
        if output != expected[index]:
            failures.append(f"client {index}: other digits in a batch of {batch_requests} requests")
            finished.set()
        if batch_requests > most:
            most = batch_requests
        if most >= clients // (2 * len(models)):
            finished.set()


threads = [threading.Thread(target=client, args=[index]) for index in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    raise SystemExit("\n".join(failures))
print(most)
