"""With workers a module's servers start once, and tests that wait do not wait side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.inner import BARE, WORKERS, bare_pytest
from tests.plugins.sandbox import REPOSITORY

TESTS = """
import os, pathlib, pytest

def note(kind):
    with (pathlib.Path(__file__).parent / kind).open("a") as file:
        print(os.getpid(), file=file)

@pytest.fixture(scope="module")
def server():
    note("started")

@pytest.fixture
def client(server): pass

@pytest.mark.parametrize("number", range(20))
def test_through_another_fixture(client, number):
    note("shared")

@pytest.mark.parametrize("number", range(20))
def test_without(number):
    note("alone")

@pytest.mark.waits
@pytest.mark.parametrize("number", range(4))
def test_that_waits(number): pass
"""


def run(folder: Path, *words: str) -> str:
    """Run these tests with two workers; return what pytest said."""
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = waits\n")
    command = [
        *bare_pytest(folder, *WORKERS, "tests.plugins.together"),
        "--dist",
        "loadgroup",
        "-n",
        "2",
    ]
    env = {**os.environ, **BARE}
    told = subprocess.run([*command, *words, folder], cwd=REPOSITORY, env=env, capture_output=True)
    assert told.returncode == 0, told.stdout
    return told.stdout.decode()


def test_a_fixture_of_a_module_is_made_once(tmp_path: Path) -> None:
    run(tmp_path)
    where = {kind: (tmp_path / kind).read_text().split() for kind in ("started", "shared", "alone")}
    assert len(where["started"]) == 1
    assert set(where["shared"]) == set(where["started"])
    assert len(where["alone"]) == 20


def test_what_waits_is_spread_among_the_others(tmp_path: Path) -> None:
    told = run(tmp_path, "-v", "-k", "without or waits")
    ends = [line for line in told.splitlines() if "PASSED" in line]
    waiting = [number for number, line in enumerate(ends) if "test_that_waits" in line]
    assert len(waiting) == 4
    assert waiting[0] < 6
    assert 12 < waiting[-1] < 23


def test_workers_do_not_make_the_parsers_that_jsonschema_may_have() -> None:
    import nbformat  # noqa: F401

    assert "lark" not in sys.modules
