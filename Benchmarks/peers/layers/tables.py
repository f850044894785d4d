"""Markdown of what was measured."""

from document import table


def rounded(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.1f}"


def shape(record: dict) -> str:
    return f"{record['d_model']}×{record['d_ff']}"


def alone(records: list[dict], shown_rows: list[int]) -> str:
    """Each arithmetic's shares of the machine, and a table of the rows between."""
    machine = records[0]
    peaks = ", ".join(f"{name} {gops:,.0f}" for name, gops in machine["peak_gops"].items())
    reads = ", ".join(f"{machine[f'{name}_read_gbps']:.0f} from {name}" for name in ("cache", "memory")
                      if f"{name}_read_gbps" in machine)
    parts = [f"{machine['threads']} threads, kernels `{machine['kernels']}`; peaks in GOP/s: {peaks}; plain reads in "
             f"GB/s: {reads}."]
    cells = [record for record in records if record["record"] == "cell"]
    for arithmetic in dict.fromkeys(cell["compute"] for cell in cells):
        rows, seen = [], None
        for cell in cells:
            if cell["compute"] != arithmetic or cell["rows"] not in shown_rows:
                continue
            rows.append([shape(cell) if shape(cell) != seen else "", str(cell["rows"]),
                         rounded(cell["median_us"]),
                         f"{50 * (cell['upper_us'] - cell['lower_us']) / cell['median_us']:.0f}%", f"{cell['gops']:,.0f}",
                         f"{100 * cell['peak_share']:.0f}%", f"{cell['gbps']:.1f}",
                         f"{100 * cell['read_share']:.0f}%" if "read_share" in cell else ""])
            seen = shape(cell)
        parts.append(table([arithmetic, "rows", "median µs", "±", "GOP/s", "of the peak", "GB/s", "of a plain read"],
                           rows))
    return "\n\n".join(parts + [cliffs(cells)])


def cliffs(cells: list[dict]) -> str:
    """The rows that come nearest to the time of the next larger power of two, or beyond it."""
    rows = []
    for key in dict.fromkeys((cell["compute"], shape(cell)) for cell in cells):
        beside = [cell for cell in cells if (cell["compute"], shape(cell)) == key and cell.get("next_rows", 64) <= 32]
        if not beside:
            continue
        worst = max(beside, key=lambda cell: cell["next_share"])
        found = [str(cell["rows"]) for cell in beside if cell["cliff"]]
        rows.append([*key, f"{worst['rows']} of {worst['next_rows']}", f"{100 * worst['next_share']:.0f}%",
                     ", ".join(found) or "none"])
    if not rows:
        return ""
    most = max(cell["rows"] for cell in cells if cell.get("next_rows", 64) <= 32)
    return (f"Rows 1 to {most}: the time of a pass beside that of the next larger power of two of rows.\n\n"
            + table(["", "layer", "rows", "of its time, at most", "cliffs"], rows))


def peers(records: list[dict], least: bool) -> str:
    """How often the peer's time holds ours: above 1 we are faster."""
    cells = [record for record in records if record["record"] == "comparison"]
    engines = [record for record in records if record["record"] == "engine"]
    versions = ", ".join(dict.fromkeys(f"{record['engine']} {record['version']}" for record in engines))
    parts = [f"{versions or 'No peers'}; " + ("shortest passes, since the machine was not quiet (`--least`)." if least else
                                              "medians of the rounds' ratios.")]
    for arithmetic in dict.fromkeys(cell["compute"] for cell in cells):
        mine = [cell for cell in cells if cell["compute"] == arithmetic]
        names = list(dict.fromkeys(name for cell in mine for name in cell["ratios"]))
        rows, seen = [], None
        for cell in mine:
            ratios = [f"{cell['ratios'][name]:.2f}" if name in cell["ratios"] else "" for name in names]
            rows.append([shape(cell) if shape(cell) != seen else "", str(cell["rows"]),
                         rounded(cell["least_us" if least else "median_us"]), *ratios,
                         f"**{cell['best_ratio']:.2f}**" if cell["best_ratio"] else ""])
            seen = shape(cell)
        parts.append(table([arithmetic, "rows", "Sluice µs", *names, "best peer ÷ Sluice"], rows))
    accuracy = table(["", "relative error of a row's norm"],
                     [[name, error] for name, error in dict.fromkeys(
                         (f"{record['engine']} {record['variant']}", f"{record['error']:.1e}") for record in engines
                         if shape(record) == shape(engines[0]))])
    return "\n\n".join(parts + ([f"What the peers compute, on weights without a pattern:\n\n{accuracy}"] if engines else []))
