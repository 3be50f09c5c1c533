"""gears-cli, in an environment of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import paths
from lab.stack.model import Stack
from lab.tools import gearscli
from tests.lab.conftest import LAB


def test_gears_cli_runs_in_an_environment_of_its_own(stack: Stack) -> None:
    done = subprocess.run([LAB, "gears-cli", "--help"], capture_output=True, text=True)
    assert "export-requirements" in done.stdout
    environment = paths.cache() / "gears-cli" / "bin" / "python"
    version = subprocess.run(
        [environment, "-c", "import redis; print(redis.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.startswith("4.")


def test_gears_cli_is_installed_anew_where_it_no_longer_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "before"))
    before = gearscli.ensure()
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "after"))
    (tmp_path / "before").rename(tmp_path / "after")  # its scripts name the folder they were in
    after = gearscli.ensure()
    assert after != before
    done = subprocess.run([after, "--help"], capture_output=True, text=True)
    assert "export-requirements" in done.stdout
    assert capfd.readouterr().out == ""  # whatever is said, is said beside the output
