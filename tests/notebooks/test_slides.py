"""Slides: what a room reads is shown, what the speaker says is in the notes, and nothing is lost."""

from __future__ import annotations

import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from docs.book import slides
from tests.notebooks.book import NOTEBOOKS, Book


def kinds(*cells) -> list[tuple[str, str]]:
    made = slides.deck(new_notebook(cells=list(cells))).cells
    return [(cell.metadata.slideshow.slide_type, cell.source) for cell in made]


DIAGRAM = "```mermaid\nflowchart\n\nA\n```"


def test_a_section_is_a_slide_and_its_prose_is_what_to_say() -> None:
    shown = f"## Title\n\nWhy it is so.\n\n* a\n* b\n\n**Predict:** what?\n\n{DIAGRAM}"
    text = shown.replace("* a", "More of it.\n\n* a")
    assert kinds(new_markdown_cell(text)) == [("slide", shown), ("notes", "More of it.")]


def test_a_slide_has_one_cell_of_code() -> None:
    cells = (
        new_markdown_cell("## A"),
        new_code_cell("1"),
        new_code_cell("2"),
        new_markdown_cell("b"),
    )
    assert kinds(*cells) == [("slide", "## A"), ("-", "1"), ("subslide", "2"), ("notes", "b")]


def test_a_table_has_no_room_below_a_diagram() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    (first, said, second) = kinds(new_markdown_cell(f"## A\n\n{DIAGRAM}\n\nMore.\n\n{table}"))
    assert (first, second) == (("slide", f"## A\n\n{DIAGRAM}"), ("subslide", table))
    assert said == ("notes", "More.")


def test_code_that_shows_a_picture_has_a_slide_of_its_own() -> None:
    picture = new_output("display_data", data={"text/html": '<img src="data:," alt="a plot">'})
    cells = (new_markdown_cell("## A"), new_code_cell("1", outputs=[picture]))
    assert kinds(*cells) == [("slide", "## A"), ("subslide", "1")]


def test_a_solution_is_not_shown() -> None:
    text = "### Exercise\n\nDo.\n\n<details><summary>Solution</summary>\n\n```python\nx\n```\n\n</details>"
    (shown, said) = kinds(new_markdown_cell(text))
    assert shown == ("subslide", "### Exercise\n\nDo.")
    assert said[0] == "notes"
    assert "```python" in said[1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_notebook_is_lost_and_nothing_is_fetched(path, tmp_path) -> None:
    page = slides.export(path, tmp_path).read_text(encoding="utf-8")
    assert re.findall(r"""(?:src=|@import|from) *["'](?:https?:)?//[^"']+""", page) == []
    book = Book(path)
    made = slides.deck(book.notebook)
    assert [c.source for c in made.cells if c.cell_type == "code"] == [c.source for c in book.code]
    told = re.findall(r"\w+", "\n".join(c.source for c in made.cells if c.cell_type != "code"))
    links = r"(?<!!)\[([^\]\n]+)\]\((?![a-z]+:)[^)\s]+\)|^\*You are here.*$"
    there = re.findall(r"\w+", re.sub(links, r"\1", book.prose, flags=re.MULTILINE))
    assert sorted(told) == sorted(there)
