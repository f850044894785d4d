"""Draws latency against load, both on logarithmic axes, of several services in one plot (SVG)."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 50, 60
COLOURS = ("#2f6f9f", "#bf3f3f", "#3f9f5f", "#cf8f2f", "#7f5fae")
# name, label, dashes
LINES = (("p50_ms", "p50", ""), ("p99_ms", "p99", "6 3"), ("p999_ms", "p99.9", "2 3"))


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between the two."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)
            if low * 0.999 <= factor * 10.0**exponent <= high * 1.001]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def draw(points: dict[str, list[dict]], title: str) -> str:
    """Each service's points as far as it keeps up with what it is offered."""
    shown = {name: [point for point in found if point["rate"] >= 0.97 * point["due"]] for name, found in points.items()}
    rates = [point["offered"] for found in shown.values() for point in found]
    times = [point[name] for found in shown.values() for point in found for name, _, _ in LINES]
    left, right = min(rates) * 0.9, max(rates) * 1.1
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))

    def x(rate: float) -> float:
        return LEFT + math.log(rate / left) / math.log(right / left) * (WIDTH - LEFT - RIGHT)

    def y(time: float) -> float:
        return HEIGHT - BOTTOM - math.log(time / low) / math.log(high / low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="24" font-size="15">{escape(f"Latency against load: {title}")}</text>']
    for tick in ticks(low, high):
        out.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)} ms</text>')
    for tick in ticks(left, right):
        out.append(f'<path d="M{x(tick):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>'
                   f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(tick)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">requests offered a '
               'second</text>')
    for place, (name, found) in enumerate(shown.items()):
        colour = COLOURS[place % len(COLOURS)]
        out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 16 + 18 * place}" fill="{colour}">{escape(name)}</text>')
        for percentile, _, dashes in LINES:
            places = [(x(point["offered"]), y(point[percentile])) for point in found]
            line = " ".join(f"{across:.1f},{up:.1f}" for across, up in places)
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8" '
                       f'stroke-dasharray="{dashes}"/>')
            out += [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="2.5" fill="{colour}"/>' for across, up in places]
    for place, (_, label, dashes) in enumerate(LINES):
        height = TOP + 32 + 18 * (len(shown) + place)
        out.append(f'<path d="M{WIDTH - RIGHT + 12} {height - 4}h30" stroke="#555" stroke-width="1.8" '
                   f'stroke-dasharray="{dashes}"/><text x="{WIDTH - RIGHT + 50}" y="{height}">{label}</text>')
    out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{HEIGHT - BOTTOM}" fill="#777">each as far as it keeps up</text>')
    return "\n".join([*out, "</svg>", ""])
