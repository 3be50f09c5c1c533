"""What a module starts for its tests is started once, however many workers there are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.inner import BARE, WORKERS, bare_pytest
from tests.sandbox import REPOSITORY

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
"""


def test_a_fixture_of_a_module_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [*bare_pytest(tmp_path, *WORKERS, "tests.together"), "--dist", "loadgroup", "-n", "2"]
    subprocess.run([*command, tmp_path], cwd=REPOSITORY, env={**os.environ, **BARE}, check=True)
    where = {kind: (tmp_path / kind).read_text().split() for kind in ("started", "shared", "alone")}
    assert len(where["started"]) == 1
    assert set(where["shared"]) == set(where["started"])
    assert len(where["alone"]) == 20
