"""Where figures are kept: the raw rounds in results/, the table in docs/."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.turns import console
from tests.marked import renewed

_HERE = Path(__file__).resolve().parent

MACHINE = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def keep(name: str, rounds: object, lines: Sequence[str]) -> None:
    """Keep raw rounds in results/NAME.json, and put lines between the marks `bench` of docs/NAME.md."""
    kept = json.dumps({"machine": MACHINE, "rounds": rounds}, indent=1)
    (_HERE / "results" / f"{name}.json").write_text(kept + "\n", encoding="utf-8")
    renew(name, "bench", lines)


def renew(name: str, marks: str, lines: Sequence[str]) -> None:
    """Put lines between marks of docs/NAME.md. Raises ValueError for a page without them."""
    page = _HERE.parent / "docs" / f"{name}.md"
    page.write_text(renewed(page.read_text(encoding="utf-8"), marks, lines), encoding="utf-8")


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def figures(how: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table of numbers for a page, behind how and where it was measured."""
    return [
        f"Measured on {MACHINE}; {how}.", "",
        f"| {' | '.join(columns)} |", "|---" + "|--:" * (len(columns) - 1) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]  # fmt: skip
