"""One gated feed-forward layer in another engine, measured one turn at a time.

An engine's program is started as `PROGRAM D_MODEL D_FF VARIANT THREADS`. It prints {"record": "ready", …}, with the
relative error of one row's norm against the same formula in float32, or {"record": "unsupported", "reason": …}; then it
answers each line "ROWS SECONDS" by {"record": "turn", …}, like `sluice bench --turns`.
"""

import json
import statistics
import sys
import time

import numpy

LEAST_PASSES = 3


class Unsupported(Exception):
    """What this engine, or this version of it, does not do."""


class Weights:
    """gate and up [d_ff, d_model], down [d_model, d_ff], as nn.Linear stores them, of variance 1/terms."""

    def __init__(self, d_model: int, d_ff: int):
        generator = numpy.random.default_rng(1)

        def matrix(outputs: int, terms: int) -> numpy.ndarray:
            values = generator.random((outputs, terms), dtype=numpy.float32)
            values -= 0.5
            values *= numpy.float32(2 * (3 / terms) ** 0.5)
            return values

        self.gate, self.up, self.down = matrix(d_ff, d_model), matrix(d_ff, d_model), matrix(d_model, d_ff)

    def applied(self, x: numpy.ndarray) -> numpy.ndarray:
        gate = x @ self.gate.T
        return (gate / (1 + numpy.exp(-gate)) * (x @ self.up.T)) @ self.down.T


def rows_of_input(rows: int, d_model: int) -> numpy.ndarray:
    return numpy.random.default_rng(2).random((rows, d_model), dtype=numpy.float32) * 2 - 1


def by_output(matrix: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """int8 values and a scale for each output."""
    scales = numpy.abs(matrix).max(axis=1) / numpy.float32(127)
    return numpy.rint(matrix / scales[:, None]).astype(numpy.int8), scales


def by_group(matrix: numpy.ndarray, bits: int, group: int = 32) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Values 0 … 2^bits − 1 around 2^(bits − 1) as [outputs, groups, group], and scales [outputs, groups]."""
    half = 1 << (bits - 1)
    groups = matrix.reshape(matrix.shape[0], -1, group)
    scales = numpy.abs(groups).max(axis=2) / numpy.float32(half - 1)
    values = numpy.rint(groups / scales[:, :, None])
    values += half
    return values.astype(numpy.uint8), scales


def nibbles(values: numpy.ndarray) -> numpy.ndarray:
    """Two 4-bit values a byte along the last axis, the earlier one in the lower half."""
    return values[..., 0::2] | (values[..., 1::2] << 4)


def serve(version: str, make) -> None:
    """Answers until the input ends.

    `make(weights, variant, threads)` returns a function of an input [rows, d_model] that returns a function without
    arguments, one pass, which returns the output as an array.
    """
    d_model, d_ff, variant, threads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    try:
        weights = Weights(d_model, d_ff)
        row = rows_of_input(1, d_model)
        exact = weights.applied(row)
        passes = make(weights, variant, threads)
        del weights
        found = numpy.asarray(passes(row)()).astype(numpy.float32).reshape(exact.shape)
    except Unsupported as reason:
        print(json.dumps({"record": "unsupported", "reason": str(reason)}), flush=True)
        return
    error = float(numpy.linalg.norm(found - exact) / numpy.linalg.norm(exact))
    print(json.dumps({"record": "ready", "version": version, "error": float(f"{error:.2e}")}), flush=True)
    prepared, run = 0, None
    for line in sys.stdin:
        rows, seconds = int(line.split()[0]), float(line.split()[1])
        if rows != prepared:
            prepared, run = rows, passes(rows_of_input(rows, d_model))
        print(json.dumps({"record": "turn", "rows": rows, **turn(run, seconds)}), flush=True)


def turn(run, seconds: float) -> dict:
    run()
    times = []
    while len(times) < LEAST_PASSES or sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"passes": len(times), "median_us": round(1e6 * statistics.median(times), 3),
            "least_us": round(1e6 * min(times), 3)}
