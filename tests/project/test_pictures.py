"""The pictures that pages and notebooks show are there; they are the ones that `make pictures` makes."""

from __future__ import annotations

import re

from tests.browser.pictures import FOLDER, PICTURES
from tests.project.files import REPOSITORY


def test_the_pictures_that_are_shown_are_those_that_one_command_makes() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    pages += (REPOSITORY / "notebooks").rglob("*.ipynb")
    shown = {
        name
        for page in pages
        for name in re.findall(
            r"docs/images/([\w-]+)\.webp|\(images/([\w-]+)\.webp", page.read_text("utf-8")
        )
        for name in name
        if name
    }
    assert shown == {file.stem for file in FOLDER.iterdir()}
    assert shown == PICTURES
