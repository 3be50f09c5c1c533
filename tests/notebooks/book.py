"""A notebook as the tests see it: its cells, its sections, its opener."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tests.plugins.sandbox import REPOSITORY

FOLDER = REPOSITORY / "notebooks"
_NAME = re.compile(r"(\d\d[a-z]?)_\w+\.ipynb")


def in_order(folder: Path) -> list[Path]:
    """Return the notebooks of the course in a folder, in its order: 02, 02b, 03."""
    return sorted(path for path in folder.glob("*.ipynb") if _NAME.fullmatch(path.name))


NOTEBOOKS = in_order(FOLDER)
LOSSES = sorted((FOLDER / "losses").glob("*.ipynb"))
"""What the judge found, as notebooks: run and looked at with the others, and taught by none."""

_FENCE = re.compile(r"^```.*?^```[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)[^)]*\)")


@dataclass(frozen=True)
class Section:
    """A heading and the cells under it."""

    title: str
    cells: list[NotebookNode]

    @property
    def prose(self) -> str:
        """The Markdown, in one piece."""
        return "\n\n".join(c.source for c in self.cells if c.cell_type == "markdown")

    @property
    def code(self) -> list[NotebookNode]:
        """The code cells."""
        return [c for c in self.cells if c.cell_type == "code"]


class Book:
    """One notebook of the course."""

    def __init__(self, path: Path, notebook: NotebookNode | None = None) -> None:
        self.path = path
        self.notebook = notebook or nbformat.read(path, as_version=4)

    @property
    def cells(self) -> list[NotebookNode]:
        """All cells, in order."""
        return list(self.notebook.cells)

    @property
    def number(self) -> str:
        """What the file's name begins with: two digits, and a letter where one was put in between."""
        return self.path.name.partition("_")[0]

    @cached_property
    def code(self) -> list[NotebookNode]:
        """The code cells, in order."""
        return [c for c in self.cells if c.cell_type == "code"]

    @cached_property
    def prose(self) -> str:
        """All Markdown, in one piece."""
        return "\n\n".join(c.source for c in self.cells if c.cell_type == "markdown")

    def sections(self, deepest: int = 2) -> Iterator[Section]:
        """Yield the sections that headings of level 2 to `deepest` begin; not the opener."""
        heading = re.compile(rf"^#{{2,{deepest}}} +(.+?)\s*$", re.MULTILINE)
        section: Section | None = None
        for cell in self.cells:
            found = cell.cell_type == "markdown" and heading.search(without_fences(cell.source))
            if found:
                if section:
                    yield section
                section = Section(found[1], [])
            if section:
                section.cells.append(cell)
        if section:
            yield section

    def exercises(self) -> list[Section]:
        """Return the sections whose title begins with "Exercise"."""
        return [s for s in self.sections(deepest=3) if s.title.lower().startswith("exercise")]

    @cached_property
    def opener(self) -> dict[str, str]:
        """The rows of the first cell's table: label in lower case, then content."""
        rows = {}
        for line in self.cells[0].source.splitlines() if self.cells else []:
            words = [word.strip() for word in line.strip().strip("|").split("|")]
            if line.lstrip().startswith("|") and len(words) == 2:
                rows[words[0].strip("*: ").lower()] = words[1]
        return {label: content for label, content in rows.items() if label.strip("-")}

    @property
    def title(self) -> str:
        """The text of the first line's heading, or an empty string."""
        lines = self.cells[0].source.splitlines() if self.cells else []
        return lines[0][2:].strip() if lines and lines[0].startswith("# ") else ""


def without_fences(markdown: str) -> str:
    """Return Markdown without its fenced code."""
    return _FENCE.sub("", markdown)


def links(markdown: str) -> list[str]:
    """Return the targets of all links, those inside code left out."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", without_fences(markdown)))


def fences(markdown: str, language: str) -> list[str]:
    """Return the content of every fenced block in a language."""
    pattern = rf"^```{language}[ \t]*\n(.*?)^```[ \t]*$"
    return re.findall(pattern, markdown, re.MULTILINE | re.DOTALL)


def python(source: str) -> ast.Module:
    """Parse a code cell, its magics and `!` lines turned into calls. Raises SyntaxError."""
    return ast.parse(TransformerManager().transform_cell(source))
