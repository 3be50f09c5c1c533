"""`lab restore` and `lab checkpoint`: the way back to how a notebook begins."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from lab import paths
from lab.cells.prepare import prepare
from lab.course.notebooks import all_notebooks, notebook
from lab.errors import LabError
from lab.stack import lifecycle


def restore(number: str) -> Path | None:
    """Bring a notebook back as the course has it, and return where the learner's own is kept.

    None when the notebook is as it was. Raises LabError when there is no such notebook, or no
    original of it.
    """
    path = _deleted(number) or notebook(number)
    original = _original(path)
    if not path.exists():
        path.write_bytes(original)
        return None
    if path.read_bytes() == original:
        return None
    kept = _free_name(path)
    # A copy first: were this interrupted, the learner's work would be there twice, not never.
    shutil.copy2(path, kept)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(original)
    part.replace(path)
    return kept


def keep_originals() -> None:
    """Keep a copy of each notebook before a learner edits it, where there is no git to ask."""
    if _from_git("notebooks"):
        return
    _originals().mkdir(parents=True, exist_ok=True)
    for path in all_notebooks().values():
        if not (_originals() / path.name).exists():
            shutil.copy2(path, _originals() / path.name)


def checkpoint(number: str) -> tuple[str, ...]:
    """Bring the stack to the state in which a notebook begins. Return the names of its states.

    Raises LabError for a notebook that is not there.
    """
    path = notebook(number)
    states = _states(_original(path).decode("utf-8"))
    lifecycle.up()
    prepare("empty")
    prepare(*states)
    return states


def _states(text: str) -> tuple[str, ...]:
    """Return what a notebook's first `lab.prepare` names; nothing where it calls none."""
    import nbformat  # takes a second, and most commands need none of it

    for cell in nbformat.reads(text, as_version=4).cells:
        if cell.cell_type == "code" and "lab.prepare(" in cell.source:
            return tuple(_arguments(cell.source))
    return ()


def _arguments(source: str) -> Iterator[str]:
    lines = (line for line in source.splitlines() if not line.startswith(("%", "!")))
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lab.prepare":
            yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))
            return


def _originals() -> Path:
    return paths.home() / "originals"


def _original(path: Path) -> bytes:
    """Return a notebook as the course has it: from git, else from the copy kept at the start."""
    if committed := _from_git(f"notebooks/{path.name}"):
        return committed
    kept = _originals() / path.name
    if kept.exists():
        return kept.read_bytes()
    raise LabError(
        f"There is no original of {path.name}: this folder is no git repository, and `lab notebook` "
        "has kept no copy yet. Take the file from the course's archive."
    )


def _from_git(name: str) -> bytes:
    """Return a file or folder listing of the last commit; nothing where there is no git."""
    git = ["git", "-C", str(paths.root())]
    try:
        asked = subprocess.run([*git, "show", f"HEAD:./{name}"], capture_output=True)
    except OSError:
        return b""
    return asked.stdout if asked.returncode == 0 else b""


def _deleted(number: str) -> Path | None:
    """Return where a notebook was that the learner has deleted, or None."""
    if number in all_notebooks():
        return None
    folder = paths.root() / "notebooks"
    listed = _from_git("notebooks").decode("utf-8", "replace").splitlines()
    listed += [path.name for path in _originals().glob("*.ipynb")]
    return next((folder / name for name in listed if name.startswith(f"{number}_")), None)


def _free_name(path: Path) -> Path:
    tries = (path.with_name(f"{path.stem}.mine-{number}.ipynb") for number in count(1))
    return next(name for name in tries if not name.exists())
