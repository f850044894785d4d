#!/usr/bin/env python3
"""Draws the JSON lines of run.sh: latency percentiles against load, with the saturation point marked.

    plot.py results.jsonl >latency.svg

Open-loop lines stand over the rate that was offered; the server is saturated beyond the last rate that it kept up with:
at least 95% of the requests answered in time, none with an error. Closed-loop lines stand over the connections; it is
saturated from the least number on that brings 95% of the best rate. A file holds lines of one kind. Standard library
only.
"""

import json
import math
import pathlib
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
SERIES = (("p50_ms", "p50", "#2f6f9f"), ("p90_ms", "p90", "#3f9f5f"), ("p99_ms", "p99", "#cf8f2f"),
          ("p999_ms", "p99.9", "#bf3f3f"))


def saturation(points: list[dict], is_open: bool) -> float | None:
    """The load up to which the server keeps up, None where it never did."""
    if is_open:
        last = None
        for point in points:
            if point["rate"] < 0.95 * point["due"] or point["errors"]:
                break
            last = point["offered"]
        return last
    best = max(point["rate"] for point in points)
    return next(point["connections"] for point in points if point["rate"] >= 0.95 * best)


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between the two."""
    found = []
    for exponent in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1):
        found += [factor * 10.0**exponent for factor in (1, 2, 5)]
    return [tick for tick in found if low * 0.999 <= tick <= high * 1.001]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def draw(points: list[dict]) -> str:
    is_open = "offered" in points[0]
    if any(("offered" in point) != is_open for point in points):
        sys.exit("plot: the lines mix open and closed loops")
    key = "offered" if is_open else "connections"
    points = sorted(points, key=lambda point: point[key])
    loads = [float(point[key]) for point in points]
    values = [point[name] for point in points for name, _, _ in SERIES if point.get(name, 0) > 0]
    if not values:
        sys.exit("plot: no run had an answer")
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values) * 1.0001))
    first, last = (0.0, max(loads)) if is_open else (min(loads), max(max(loads), min(loads) * 2))

    def x(load: float) -> float:
        share = (load - first) / (last - first) if is_open else math.log(load / first) / math.log(last / first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    what = points[0]
    title = f"{what['rows']} × {what['d_model']} in {what['body']}, by {what['tool']}"
    out.append(f'<text x="{LEFT}" y="24" font-size="15">{escape(f"Latency against load: {title}")}</text>')
    for tick in ticks(low, high):
        out.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)} ms</text>')
    marks = [last * step / 5 for step in range(6)] if is_open else sorted(set(loads))
    for mark in marks:
        out.append(f'<text x="{x(mark):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(mark)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">'
               f'{"requests offered a second" if is_open else "connections"}</text>')
    for place, (name, label, colour) in enumerate(SERIES):
        shown = [point for point in points if point.get(name, 0) > 0]
        line = " ".join(f"{x(float(point[key])):.1f},{y(point[name]):.1f}" for point in shown)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{place.split(",")[0]}" cy="{place.split(",")[1]}" r="3" fill="{colour}"/>'
                for place in line.split()]
        out.append(f'<text x="{WIDTH - RIGHT - 220 + 55 * place}" y="24" fill="{colour}">{label}</text>')
    point = saturation(points, is_open)
    if point is None:
        out.append(f'<text x="{LEFT + 8}" y="{TOP + 14}" fill="#bf3f3f">saturated at every rate offered</text>')
    else:
        at = x(float(point))
        anchor = "end" if at > WIDTH / 2 else "start"
        rate = max(each["rate"] for each in points if each[key] <= point)
        if is_open:
            label = f"{'not saturated up to' if point == last else 'saturated beyond'} {number(point)}/s"
        else:
            label = f"saturated at {number(point)}: {number(rate)}/s"
        out.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#bf3f3f" stroke-dasharray="4 3"/>'
                   f'<text x="{at + (-6 if anchor == "end" else 6):.1f}" y="{HEIGHT - BOTTOM - 8}" fill="#bf3f3f" '
                   f'text-anchor="{anchor}">{label}</text>')
    late = max(each.get("late_ms", 0) for each in points)
    if late > 10:
        out.append(f'<text x="{LEFT}" y="42" fill="#888">The load generator itself was late by up to {number(late)} ms: '
                   'part of the latencies is its own.</text>')
    return "\n".join([*out, "</svg>", ""])


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    points = [json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines() if line.strip()]
    if not points:
        sys.exit("plot: no lines")
    sys.stdout.write(draw(points))


if __name__ == "__main__":
    main()
