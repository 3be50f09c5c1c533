"""Every notebook keeps every rule of `rules.py`."""

from __future__ import annotations

import re

import pytest

from docs.book import minutes
from tests.notebooks.book import FOLDER, NOTEBOOKS, REPOSITORY, Book, links
from tests.notebooks.rules import RULES, Rule

TO_COME: set[str] = set()
"""Numbers that the course has given to notebooks which are not here yet."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_the_rules(path, rule: Rule):
    assert not rule(Book(path))


def test_notebooks_are_numbered_without_a_gap():
    assert NOTEBOOKS, "there is no notebook"
    numbers = [Book(path).number for path in NOTEBOOKS]
    assert len(set(numbers)) == len(numbers), "two notebooks have one number"
    gaps = {f"{n:02}" for n in range(int(numbers[-1][:2]))} - {number[:2] for number in numbers}
    assert gaps <= TO_COME
    assert sorted(FOLDER.glob("*.ipynb")) == NOTEBOOKS


def test_the_readme_lists_every_notebook_with_its_title_and_minutes():
    assert readme_rows() == {
        f"notebooks/{path.name}": (Book(path).title, Book(path).opener.get("minutes"))
        for path in NOTEBOOKS
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_can_be_read_in_the_minutes_that_it_names(path):
    book = Book(path)
    needed = minutes.without_made(minutes.sections(book.notebook)) / 60
    assert needed < int(book.opener["minutes"]) + 2.5  # they are rounded to five


def test_the_guide_has_the_minutes_of_each_section():
    """`python -m docs.book.minutes` writes the table."""
    table = (REPOSITORY / "docs/instructor-guide.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        (row,) = re.findall(rf"^\| {Book(path).number} \| .* s \|$", table, re.MULTILINE)
        parts = [one.title for one in minutes.sections(Book(path).notebook) if minutes.is_told(one)]
        assert re.findall(r"(?:\| |· )([^|·]+?) \d+(?= ·| \|)", row)[: len(parts)] == parts


def readme_rows() -> dict[str, tuple[str, str]]:
    """Read the README's table: | [title](notebooks/…) | … | minutes |."""
    rows = {}
    for line in (REPOSITORY / "README.md").read_text().splitlines():
        words = [word.strip() for word in line.strip("|").split("|")]
        target = links(words[0])
        if line.startswith("|") and target and target[0].startswith("notebooks/"):
            title = re.findall(r"\[([^\]]*)\]", words[0])[0]
            rows[target[0]] = (title, words[-1])
    return rows
