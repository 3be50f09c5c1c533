"""How long a learner takes for each section: a sum, not a measurement of people.

    python -m docs.book.minutes            # writes the table of docs/instructor-guide.md
    python -m docs.book.minutes --print    # shows it

The notebooks of the last `make book` are read, which say how long each cell ran. To that come
reading, guessing and exercising, at the rates below. Nobody was timed; who has taught a day knows
better, and changes the rates here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = REPOSITORY / ".cache/book/source/notebooks"
GUIDE = REPOSITORY / "docs/instructor-guide.md"
BEGIN, END = "<!-- minutes: begin -->", "<!-- minutes: end -->"

WORDS_A_MINUTE = 200
SECONDS_A_LINE = 3  # of code, read and understood
SECONDS_A_GUESS = 20
SECONDS_A_DIAGRAM = 20
FILLED_IN, MADE, QUESTIONS = 4 * 60, 10 * 60, 2 * 60  # seconds


@dataclass
class Section:
    """A section of a notebook. `kind` is "", "filled in", "made" or "questions"."""

    title: str
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What a learner does in it besides reading."""
        if self.title == "Three questions":
            return "questions"
        if not self.title.startswith("Exercise"):
            return ""
        return "made" if self.title.startswith("Exercise: make ") else "filled in"

    @property
    def running(self) -> float:
        """Seconds for which its cells ran."""
        return sum(_seconds(cell) for cell in self.cells)

    @property
    def seconds(self) -> float:
        """All of it, in seconds."""
        allowed = {"": 0, "filled in": FILLED_IN, "made": MADE, "questions": QUESTIONS}
        return self.running + allowed[self.kind] + sum(map(_reading, self.cells))


def sections(book: NotebookNode) -> Iterator[Section]:
    """Yield a notebook's sections; what comes before the first heading is "the beginning"."""
    section = Section("the beginning")
    for cell in book.cells:
        parts = [cell.source]
        if cell.cell_type == "markdown":
            parts = re.split(r"^## ", cell.source, flags=re.MULTILINE)
        section.cells.append(nbformat.NotebookNode({**cell, "source": parts[0]}))
        for part in parts[1:]:
            yield section
            title, _, text = part.partition("\n")
            section = Section(title.strip())
            section.cells.append(nbformat.NotebookNode({**cell, "source": text}))
    yield section


def without_made(found: Iterable[Section]) -> float:
    """Return the seconds of a notebook, but for the exercise that is made."""
    return sum(one.seconds for one in found if one.kind != "made")


def _reading(cell: NotebookNode) -> float:
    """Return how many seconds a cell takes to read, and to guess at."""
    if cell.cell_type == "code":
        return SECONDS_A_LINE * sum(bool(line.strip()) for line in cell.source.splitlines())
    told = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
    diagrams = len(re.findall(r"^```mermaid", told, re.MULTILINE))
    told = re.sub(
        r"```mermaid.*?```|\]\([^)]*\)|^\*You are here.*$", "", told, flags=re.DOTALL | re.MULTILINE
    )
    guesses = len(re.findall(r"\*\*Predict", told))
    words = len(re.findall(r"\w+", told))
    return 60 * words / WORDS_A_MINUTE + SECONDS_A_GUESS * guesses + SECONDS_A_DIAGRAM * diagrams


def _seconds(cell: NotebookNode) -> float:
    moments = [
        datetime.fromisoformat(moment.replace("Z", "+00:00"))
        for moment in cell.metadata.get("execution", {}).values()
    ]
    return (max(moments) - min(moments)).total_seconds() if moments else 0.0


def row(path: Path) -> str:
    """Return a notebook's row of the table."""
    found = list(sections(nbformat.read(path, as_version=4)))
    told = [f"{one.title} {_minutes(one.seconds)}" for one in found if is_told(one)]
    together = {kind: sum(one.seconds for one in found if one.kind == kind) for kind in _KINDS}
    running = sum(one.running for one in found)
    return (
        f"| {path.name.partition('_')[0]} | {' · '.join(told)} | {_minutes(together['filled in'])} "
        f"| {_minutes(without_made(found))} | {_minutes(together['made'])} | {running:.0f} s |"
    )


_KINDS = ("", "filled in", "made", "questions")
_SHORT = {
    "the beginning",
    "Recap",
    "Clean up",
    "How to stop",
}  # a minute each, and no room in the table


def is_told(section: Section) -> bool:
    """Tell whether a section stands in the table by its name."""
    return not section.kind and section.title not in _SHORT


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))}" if seconds else "–"


@click.command()
@click.option("--print", "show", is_flag=True, help="Show the table instead of writing it.")
def main(show: bool) -> None:
    """Compute the table and put it into the guide."""
    paths = sorted(RUN.glob("[0-9]*.ipynb"))
    if not paths:
        raise click.ClickException(f"{RUN} has no notebooks that ran: `make book` first.")
    head = (
        "| notebook | sections, with minutes | exercises | all | *made*, besides | cells run |",
        "|---|---|---|---|---|---|",
    )
    table = "\n".join([*head, *map(row, paths)])
    if show:
        click.echo(table)
        return
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    GUIDE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
