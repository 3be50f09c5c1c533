"""`lab doctor`: what works on this machine, and what would mend the rest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import paths
from lab.checkup import machine
from lab.checkup.findings import Finding, Report
from lab.cli import main
from lab.stack.model import Stack
from tests.lab.conftest import LAB


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LAB_STACK", "containrs", "There is no stack 'containrs'"),
        ("LAB_PORT_MONGO", "abc", "LAB_PORT_MONGO=abc is no port"),
    ],
)
def test_doctor_names_a_variable_that_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = subprocess.run([LAB, "doctor"], capture_output=True, text=True)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_this_machine_fit(stack: Stack) -> None:
    report = machine.doctor()
    assert report.healthy, report
    found = {finding.what: finding for finding in report.findings}
    assert "ReJSON" in found["Redis modules"].detail
    assert found["Redis"].detail.startswith("running at")
    assert all(f.mend for f in report.findings if f.level is machine.Level.BAD)
    assert "<table>" in report._repr_html_()


def test_a_command_in_the_doctors_words_is_shown_as_code() -> None:
    found = Finding(machine.Level.NOTE, "Docker", "a < b", "see `docker version`")
    page = Report([found])._repr_html_()
    assert "<code>docker version</code>" in page
    assert "a &lt; b" in page


def test_doctor_speaks_to_a_terminal_without_its_signs(stack: Stack) -> None:
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([LAB, "doctor"], env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["ok", "Python"]


def test_doctor_fails_where_the_stack_cannot_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\necho 'libstdc++.so.6: not found' >&2\nexit 127\n")
    server.chmod(0o755)
    monkeypatch.setattr(paths, "redis_server", lambda: server)
    broken = machine.doctor()
    assert not broken.healthy
    assert "libstdc++.so.6: not found" in repr(broken)
    monkeypatch.setattr(paths, "redis_server", lambda: None)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "LAB_STACK=external" in " ".join(done.output.split())


def test_doctor_names_a_module_that_does_not_load(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "rejson.so"
    damaged.write_bytes(b"not a library")
    good = paths.redis_modules()
    monkeypatch.setattr(paths, "redis_modules", lambda: {**good, "rejson": damaged})
    report = machine.doctor()
    assert not report.healthy
    assert [f.what for f in report.findings if f.level is machine.Level.BAD] == ["Redis modules"]
