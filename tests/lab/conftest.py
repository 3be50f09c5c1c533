"""Stacks of the tests' own: each in a temporary home, on ports that nobody else was given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import lab
from lab import paths
from lab.stack import lifecycle
from lab.stack.embedded import processes, sockets
from lab.stack.embedded.services import SERVICES
from lab.stack.model import Stack
from tests.freeports import free_ports

LAB = str(paths.scripts() / "lab")
"""The command of this environment."""


def environment(home: Path) -> dict[str, str]:
    """The variables that point the lab at a home and at free ports."""
    ports = free_ports(len(SERVICES))
    named = {f"LAB_PORT_{name.upper()}": str(p) for name, p in zip(SERVICES, ports, strict=True)}
    return {"LAB_HOME": str(home), "LAB_STACK": "embedded", **named}


def end_all(home: Path) -> None:
    processes.kill(processes.marked(home))


@contextmanager
def own_stack(home: Path) -> Iterator[Stack]:
    """A stack in `home`, which nobody else uses, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(home).items():
            patch.setenv(name, value)
        patch.setattr(lifecycle, "_current", None)
        try:
            yield lab.up()
        finally:
            end_all(home)


@contextmanager
def frozen(service: str) -> Iterator[None]:
    """A server that accepts connections and answers nothing: worse than one that is down."""
    found = processes.marked(paths.home(), service)
    assert found
    for process in found:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in found:
            os.kill(process.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that only use it. They bring it to the state that they need."""
    with own_stack(tmp_path_factory.mktemp("stack") / "lab") as stack:
        yield stack


@pytest.fixture
def breakable(stack: Stack) -> Iterator[Stack]:
    """The shared stack, for tests that break it in ways that `lab.up()` mends."""
    yield stack
    lab.up()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with nothing in it, for the tests that start and break stacks."""
    folder = tmp_path / "lab"
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lifecycle, "_current", None)
    try:
        yield folder
    finally:
        end_all(folder)
        sockets.remove(folder)


@pytest.fixture
def elsewhere() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Run Python code in another process, as another kernel would."""
    running: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ),
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A notebook's kernel, as far as magics know."""
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield made
    InteractiveShell.clear_instance()
