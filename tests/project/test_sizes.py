"""Functions that fit a screen, files that fit a head, folders that fit a hand: what a newcomer can take in."""

from __future__ import annotations

import ast
from collections import Counter

from tests.project.files import REPOSITORY, written

A_HAND, A_HEAD, A_SCREEN = 16, 360, 60
"""Files in a folder, lines of a file and of a function, at most. Meant are 10, 300 and 50: this is where to divide."""

WIDE = {
    "notebooks": "the course, numbered in order",
    "src/lab/checks/notebooks": "one module a notebook",
}
LONG = {
    "recipes/streams/core/writebehind.lua": "Redis loads a library as one text, and a reader copies it as one",
    "recipes/gears/movies_write_behind.py": "RedisGears runs a script as one text",
}
CODE = (".py", ".lua", ".sh", ".js", ".css", ".html")


def test_a_folder_fits_a_hand() -> None:
    files = Counter(file.parent.as_posix() for file in written())
    wide = {folder for folder, many in files.items() if many > A_HAND}
    assert wide - WIDE.keys() == set(), "divide it, where a thought divides it"


def test_a_file_fits_a_head() -> None:
    code = [f for f in written() if f.suffix in CODE and ".min." not in f.name]
    lines = {f.as_posix(): (REPOSITORY / f).read_bytes().count(b"\n") for f in code}
    assert {name for name, many in lines.items() if many > A_HEAD} == LONG.keys()


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{file}:{node.lineno} {node.name}"
        for file in written()
        if file.suffix == ".py"
        for node in ast.walk(ast.parse((REPOSITORY / file).read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno >= A_SCREEN
    ]
    assert long == []
