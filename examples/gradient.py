#!/usr/bin/env python3
"""Gradient descent over HTTP: a SwiGLU layer of eight units learns y = x·|x| from 17 points.

Each step asks for the layer's outputs, then for the gradients of the mean squared error by its weights, and moves the
weights against them. The layer is in the requests; Python's standard library does the rest.

  sluice serve &
  examples/gradient.py [http://127.0.0.1:8080]

prints the error on the way, and what was learned of y(0.5):

#   {"step": 0, "error": 0.271}
#   {"step": 200, "error": 0.0051}
#   {"step": 400, "error": 0.0003}
#   {"x": 0.5, "learned": 0.246, "exact": 0.25}
"""

import json
import sys
import urllib.request

SERVER = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080").rstrip("/")
POINTS = [[(i - 8) / 8] for i in range(17)]
TARGETS = [x * abs(x) for [x] in POINTS]
UNITS = 8
STEP = 0.8


def ask(path, **members):
    body = json.dumps({"variant": "swiglu", **members}).encode()
    request = urllib.request.Request(SERVER + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def outputs(weights, points):
    return [y for [y] in ask("/v1/ffn", weights=weights, input=points)["output"]]


def moved(weight, gradient):
    if isinstance(weight, list):
        return [moved(w, g) for w, g in zip(weight, gradient)]
    return weight - STEP * gradient


def spread(seed):
    """A number for each unit, from -1 to 1 and without a pattern."""
    return [((37 * i + 11 * seed) % 17 - 8) / 8 for i in range(UNITS)]


weights = {
    "gate_proj": [[w] for w in spread(1)],
    "up_proj": [[w] for w in spread(2)],
    "down_proj": [spread(3)],
    "gate_proj_bias": spread(4),
    "up_proj_bias": spread(5),
}
for step in range(401):
    errors = [y - target for y, target in zip(outputs(weights, POINTS), TARGETS)]
    if step % 200 == 0:
        print(json.dumps({"step": step, "error": round(sum(e * e for e in errors) / len(errors), 4)}))
    gradient = [[2 * e / len(errors)] for e in errors]
    reply = ask("/v1/ffn/gradient", weights=weights, input=POINTS, grad_output=gradient, weights_gradient=True)
    weights = {name: moved(weight, reply["grad_weights"][name]) for name, weight in weights.items()}
[learned] = outputs(weights, [[0.5]])
print(json.dumps({"x": 0.5, "learned": round(learned, 3), "exact": 0.25}))
