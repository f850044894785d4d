"""Tables of what was measured, and their places in a document."""

import pathlib
import sys


def table(titles: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def write(path: str, name: str, text: str) -> None:
    """Puts `text` between the lines `<!-- name -->` and `<!-- end of name -->` of a document."""
    file = pathlib.Path(path)
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = file.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        sys.exit(f"{path} has no lines {begin.strip()} and {end}")
    file.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")
