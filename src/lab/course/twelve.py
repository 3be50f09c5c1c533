"""`lab.twelve`: the recipe of notebook 14, judged by some of the twelve properties of a write-behind recipe."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab import environment, paths
from lab.checks.desk import notebook_variables
from lab.errors import LabError
from lab.report import as_html, progress

PIECES = ("change", "read", "write", "acknowledge")
"""The functions that a recipe of notebook 14 consists of."""

ALL = range(1, 13)
_SIDE_BY_SIDE = 2  # what does not hold mostly waits; each has servers of its own to start
_LONGEST = 240.0  # seconds without a verdict before a function is taken to hang
_WIDEST = 160  # letters of what was seen
_SUITE = "tests/recipes/twelve"
_FILE = '''\
"""The recipe that notebook 14 had when it was last judged there.

    .venv/bin/pytest {suite} --recipe={file}:Reviews
"""

from pathlib import Path

from tests.recipes.twelve.contenders.pieces import Own


class Reviews(Own):
    name = "reviews"
    pickled = Path(__file__).with_name("pieces.pickle")
'''


@dataclass(frozen=True)
class Judged:
    """A property: what it says, whether the recipe has it, and what was seen where it has not."""

    number: int
    title: str
    sentence: str
    holds: bool
    seen: str


@dataclass(frozen=True)
class Twelve:
    """Properties and what was found. True when each holds, or when nothing can be judged here."""

    judged: tuple[Judged, ...]
    cannot: str = ""
    """Why nothing can be judged on this machine; empty where it can."""

    def __bool__(self) -> bool:
        return all(one.holds for one in self.judged)

    @property
    def held(self) -> list[int]:
        """The numbers of the properties that hold."""
        return [one.number for one in self.judged if one.holds]

    def __repr__(self) -> str:
        if self.cannot:
            return self.cannot
        lines = [f"{_sign(one)} {one.number:>2} {one.title}: {_told(one)}" for one in self.judged]
        return "\n".join([*lines, f"{len(self.held)} of {len(self.judged)} hold."])

    def _repr_html_(self) -> str:
        if self.cannot:
            return f"<p>{as_html(self.cannot)}</p>"
        rows = "".join(
            f'<tr><td style="text-align:right">{one.number}</td>'
            f'<td style="text-align:left">{_sign(one)} {as_html(one.title)}</td>'
            f'<td style="text-align:left">{as_html(_told(one))}</td></tr>'
            for one in self.judged
        )
        names = ("no.", "property", "what was seen")
        cells = [f'<th scope="col" style="text-align:left">{name}</th>' for name in names]
        head = f"<tr>{''.join(cells)}</tr>"
        return f"<table>{head}{rows}</table><p>{len(self.held)} of {len(self.judged)} hold.</p>"


def twelve(*numbers: int, patience: float = 8.0) -> Twelve:
    """Judge the notebook's recipe by some of the twelve properties, or by all.

    The recipe is four functions of the notebook: `change`, `read`, `write`, `acknowledge`. They are
    judged by the suite in `tests/recipes/twelve`, on servers of its own, which end with it. What should
    happen may take `patience` seconds. Raises LabError when a function is missing, or uses something
    that only the notebook has.
    """
    return judge_pieces(notebook_variables(), numbers or tuple(ALL), patience, _SIDE_BY_SIDE)


def judge_pieces(
    variables: Mapping[str, Any],
    numbers: tuple[int, ...],
    patience: float = 8.0,
    side_by_side: int = 1,
) -> Twelve:
    """Judge the functions among `variables`. Raises LabError as `twelve` does."""
    if unknown := [number for number in numbers if number not in ALL]:
        raise LabError(f"There is no property {unknown[0]!r}: they have the numbers 1 to 12.")
    if why := cannot():
        return Twelve((), why)
    file = keep(variables)
    shares = [share for first in range(side_by_side) if (share := numbers[first::side_by_side])]
    with progress(f"Judging by {len(numbers)} of the twelve"), contextlib.ExitStack() as running:
        lines: queue.Queue[str] = queue.Queue()
        for share in shares:
            running.enter_context(_judging(file, patience, share, lines))
        found = [Judged(*json.loads(_next(lines))) for _ in numbers]
    return Twelve(tuple(sorted(found, key=lambda one: one.number)))


def cannot() -> str:
    """Say in one line why nothing can be judged on this machine; empty where it can."""
    if not (paths.root() / _SUITE).is_dir():
        return f"Nothing is judged here: {_SUITE} is missing. It is a part of the repository."
    if not paths.redis_server() or "rejson" not in paths.redis_modules():
        return (
            "Nothing is judged here: the suite kills and freezes a Redis with RedisJSON of its own, and "
            "this machine has no wheel of it (README, What runs where). The cells go on without."
        )
    return ""


def keep(variables: Mapping[str, Any]) -> Path:
    """Write the functions where workers find them, and a file for pytest beside; return the first."""
    import cloudpickle  # brings in much that no other cell needs

    pieces: dict[str, Callable[..., Any]] = {}
    for name in PIECES:
        pieces[name] = variables.get(name)  # type: ignore[assignment]
        if not callable(pieces[name]):
            raise LabError(f"There is no function `{name}` yet: run the cell that defines it.")
        try:
            cloudpickle.dumps(pieces[name])
        except Exception as problem:
            raise LabError(
                f"`{name}` uses something that only this notebook has, such as `r` or `stack`, and a worker is "
                f"another process: use what the function is given. ({type(problem).__name__}: {problem})"
            ) from None
    folder = paths.home() / "own-recipe"
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "own_recipe.py"
    own.write_text(_FILE.format(suite=_SUITE, file=own), encoding="utf-8")
    file = folder / "pieces.pickle"
    file.write_bytes(cloudpickle.dumps(pieces))
    return file


@contextlib.contextmanager
def _judging(
    file: Path, patience: float, numbers: tuple[int, ...], lines: queue.Queue[str]
) -> Iterator[None]:
    """Judge in a process of its own, which ends with this block, or with this kernel."""
    words = ["-m", "tests.recipes.twelve.own", file, patience, *numbers]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:  # never full
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=paths.root(),
            env=environment.clean(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # interrupting a cell ends it through its input, and in good order
        )
        reader = threading.Thread(
            target=_collect, args=(process, len(numbers), lines, log), daemon=True
        )
        reader.start()
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            reader.join()


def _collect(
    process: subprocess.Popen[str], count: int, lines: queue.Queue[str], log: IO[str]
) -> None:
    """Hand on each verdict; when there are fewer than asked for, what the process has said instead."""
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += 1
        lines.put(line)
    if seen < count:
        log.seek(0)
        lines.put("!" + log.read())


def _next(lines: queue.Queue[str]) -> str:
    try:
        line = lines.get(timeout=_LONGEST)
    except queue.Empty:
        raise LabError(
            f"No verdict for {_LONGEST:.0f} s: does one of your functions wait for ever?"
        ) from None
    if line.startswith("!"):
        raise LabError(f"The suite ended by itself:\n{line[1:].strip()[-1500:]}")
    return line


def _sign(one: Judged) -> str:
    return "✓" if one.holds else "✗"


def _told(one: Judged) -> str:
    told = one.sentence if one.holds else one.seen
    return told if len(told) < _WIDEST else f"{told[:_WIDEST]} …"
