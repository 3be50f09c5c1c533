"""No text is read or written in whatever encoding the machine's locale happens to have."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.files import REPOSITORY

FOLDERS = ("src", "tools", "recipes", "docker", "benchmarks", "notebooks")
FILES = [f for folder in FOLDERS for f in sorted((REPOSITORY / folder).rglob("*.py"))]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
OF_TEXT = {"read_text": 0, "write_text": 1, "read_text_lines": 0}
RUNNERS = {"run", "Popen", "check_output", "call", "check_call"}


def guessing(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of calls that leave the encoding to the locale."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if "encoding" in given or None in given:
            continue
        if (
            (name in OF_TEXT and len(call.args) <= OF_TEXT[name])
            or (name in {"open", "fdopen", "NamedTemporaryFile"} and is_text(call, name, given))
            or (name in RUNNERS and ("text" in given or "universal_newlines" in given))
        ):
            yield call.lineno


def is_text(call: ast.Call, name: str, given: dict[str | None, ast.expr]) -> bool:
    """Tell whether a file is opened as text; `os.open` and its like take numbers, and open none."""
    value = getattr(call.func, "value", None)
    owner = getattr(value, "id", "") or getattr(value, "attr", "")
    if not call.args and not given and owner not in ("", "path", "file", "log"):
        return False  # sink.open(): no file at all
    if owner in ("os", "tarfile", "webbrowser", "gzip", "socket", "dbm") and name == "open":
        return False
    place = 0 if isinstance(call.func, ast.Attribute) and name == "open" else 1
    default = ast.Constant("w+b" if name == "NamedTemporaryFile" else "r")
    mode = given.get("mode") or (call.args[place] if len(call.args) > place else default)
    return isinstance(mode, ast.Constant) and "b" not in str(mode.value)


def code_of(notebook: Path) -> str:
    """Return the code of a notebook without the lines that only IPython reads."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    plain = [source for source in sources if not source.lstrip().startswith("%%")]
    lines = [line for source in plain for line in source.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(REPOSITORY)))
def test_code_names_the_encoding_of_text(file: Path) -> None:
    assert list(guessing(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda f: f.name)
def test_notebooks_name_the_encoding_of_text(notebook: Path) -> None:
    assert list(guessing(ast.parse(code_of(notebook)))) == []


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text()",
        "path.write_text(text)",
        "open(path)",
        "path.open('w')",
        "Path(p).open()",
        "os.fdopen(3, 'w')",
        "subprocess.run(words, text=True)",
    ],
)
def test_a_guess_is_found(code: str) -> None:
    assert list(guessing(ast.parse(code))) == [1]


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text(encoding='ascii')",
        "path.read_text('utf-8')",
        "open(path, 'rb')",
        "path.open('rb')",
        "os.open(path, os.O_RDWR)",
        "subprocess.run(words)",
    ],
)
def test_what_is_no_guess_is_left_alone(code: str) -> None:
    assert list(guessing(ast.parse(code))) == []
