"""`lab rehearse`: run and time the notebooks on this machine, on a stack of their own."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.course.notebooks import all_notebooks, notebook
from lab.errors import LabError

if TYPE_CHECKING:
    from nbclient import NotebookClient

LIMIT = 60.0
"""Seconds that a notebook may take in a class, all of its cells together."""

CELL_LIMIT = 180.0
"""Seconds after which a cell is given up."""


@dataclass(frozen=True)
class Timing:
    """How long a notebook took, in seconds, its slowest cell, and the error that ended it."""

    number: str
    seconds: float
    slowest: float
    slowest_line: str
    error: str = ""

    @property
    def verdict(self) -> str:
        """Whether a class can use this notebook on this machine, in words."""
        if self.error:
            return f"fails: {self.error}"
        if self.seconds > LIMIT:
            return f"too slow: over {LIMIT:.0f} s; slowest: {self.slowest_line}"
        return "ok"


def rehearse(numbers: tuple[str, ...], done: Callable[[Timing], None]) -> list[Timing]:
    """Run the notebooks and time them; `done` is called after each. All of them without `numbers`.

    They run on a stack of their own in a temporary folder, which is removed at the end, also after
    Ctrl-C; the learner's stack, data and progress are not touched. Raises LabError for a notebook
    that is not there and for an external stack, and KeyboardInterrupt at SIGTERM, too.
    """
    if os.environ.get("LAB_STACK") == "external":
        raise LabError(
            "A rehearsal empties its stack again and again, and the external one is everybody's. "
            "For one of its own: LAB_STACK=embedded lab rehearse"
        )
    chosen = {number: notebook(number) for number in numbers} or all_notebooks()
    found = []
    with _handling(signal.default_int_handler, signal.SIGTERM), _own_home():
        for number, path in chosen.items():
            timing = _run(number, path)
            found.append(timing)
            done(timing)
    return found


def shuffled(numbers: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Return the notebooks' numbers in another order, which is the same for a seed."""
    return tuple(random.Random(seed).sample(numbers, len(numbers)))


@contextlib.contextmanager
def _own_home() -> Iterator[None]:
    before = os.environ.get("LAB_HOME")
    # Named first and made inside: Ctrl-C may come the moment after it is there.
    home = Path(tempfile.gettempdir(), f"rehearse-{secrets.token_hex(6)}")
    try:
        os.environ["LAB_HOME"] = str(home)
        home.mkdir(mode=0o700)
        yield
    finally:
        with _undisturbed():
            stop = [sys.executable, "-m", "lab.course.ending"]
            environment = {**os.environ, "LAB_HOME": str(home)}
            subprocess.run(stop, stdout=subprocess.DEVNULL, start_new_session=True, env=environment)
            shutil.rmtree(home, ignore_errors=True)
        os.environ.pop("LAB_HOME", None)
        if before is not None:
            os.environ["LAB_HOME"] = before


@contextlib.contextmanager
def _handling(
    how: Callable[..., object] | signal.Handlers, *numbers: signal.Signals
) -> Iterator[None]:
    before = {number: signal.signal(number, how) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _undisturbed() -> contextlib.AbstractContextManager[None]:
    """Let a second, impatient Ctrl-C not leave servers behind."""
    return _handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM)


def _run(number: str, path: Path) -> Timing:
    import nbformat  # takes a second, and nbclient another
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.read(path, as_version=4)
    cells: list[tuple[float, str]] = []
    client = NotebookClient(
        book, timeout=CELL_LIMIT, resources={"metadata": {"path": str(path.parent)}}
    )

    def run_cells() -> None:
        with client.setup_kernel():
            for index, cell in enumerate(book.cells):
                began = time.perf_counter()
                client.execute_cell(cell, index)
                cells.append((time.perf_counter() - began, _first_line(cell.source)))

    start, error = time.perf_counter(), ""
    try:
        _until_ctrl_c(run_cells, client)
    except CellExecutionError as problem:
        error = f"{problem.ename}: {problem.evalue}".splitlines()[0]
    except CellTimeoutError:
        error = f"a cell took over {CELL_LIMIT:.0f} s: {_first_line(book.cells[len(cells)].source)}"
    except DeadKernelError:
        error = "its kernel died; perhaps memory is short"
    slowest, line = max(cells, default=(0.0, ""))
    return Timing(number, time.perf_counter() - start, slowest, line, error)


def _until_ctrl_c(work: Callable[[], None], client: NotebookClient) -> None:
    """Run `work` in a thread of its own; Ctrl-C ends its kernel and is raised here.

    In the main thread nbclient would take Ctrl-C for itself, and lose one that comes early.
    """
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            running.result()
        except KeyboardInterrupt:
            with _undisturbed():
                while not wait([running], 0.1).done:
                    kernel = getattr(client.km and client.km.provisioner, "pid", None)
                    with contextlib.suppress(ProcessLookupError):
                        if kernel:
                            os.kill(kernel, signal.SIGKILL)
            raise


def _first_line(source: str) -> str:
    return source.strip().partition("\n")[0][:60]
