"""The recipes of docs/lake.md: the code that reads the lake, as readers copy it."""

import textwrap
from pathlib import Path

_DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "lake.md"


def get_recipe(engine: str) -> str:
    """Return the first block of code below the heading of an engine."""
    section = _DOCUMENT.read_text().partition(f"\n### {engine}\n")[2].partition("\n### ")[0]
    lines: list[str] = []
    for line in section.splitlines():
        if line.startswith("    ") or (lines and not line):
            lines.append(line)
        elif lines:
            break
    return textwrap.dedent("\n".join(lines))


def run_recipe(engine: str, lake: str, /, **names: object) -> dict[str, object]:
    """Run a recipe on a lake. Return the names that it has defined."""
    code = get_recipe(engine).replace('"var/lake"', repr(lake))
    exec(code, names)  # noqa: S102  # the document of this repository
    return names
