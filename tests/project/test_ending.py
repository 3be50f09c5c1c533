"""Programs of ours that start servers end these when somebody ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.stack.embedded import processes
from tests.project.files import REPOSITORY

pytestmark = pytest.mark.xdist_group("sandbox")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_stack_of_the_pictures_ends_with_them(tmp_path: Path, how: signal.Signals) -> None:
    words = [sys.executable, "-m", "tests.browser.pictures", "--into", str(tmp_path / "into")]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    taking = subprocess.Popen(words, env=env, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (homes := list(tmp_path.glob("wb-*/lab"))) or not processes.marked(homes[0], "redis"):
        assert taking.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    taking.send_signal(how)
    assert taking.wait(60) != 0
    assert not processes.marked(homes[0])
    assert not list(tmp_path.glob("wb-*"))


def test_all_who_start_servers_end_in_order() -> None:
    programs = [
        *(REPOSITORY / "benchmarks").rglob("*.py"),
        *(REPOSITORY / "tests").rglob("*.py"),
        REPOSITORY / "docs/book/build.py",
    ]
    mains = [file for file in programs if "@click.command" in file.read_text(encoding="utf-8")]
    assert mains
    careless = [f.name for f in mains if "end_in_order()" not in f.read_text(encoding="utf-8")]
    assert careless == ["door.py"], "that one starts no server"
