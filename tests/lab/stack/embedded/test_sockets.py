"""Redis's socket is where one can be, and every shell finds it there."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lab
from lab.checkup import machine
from lab.stack.embedded import processes, sockets

Elsewhere = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def deep(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose path is too long for a socket's."""
    folder = tmp_path / ("d" * 120)
    monkeypatch.setenv("LAB_HOME", str(folder))
    yield folder
    processes.kill(processes.marked(folder))
    sockets.remove(folder)


def test_another_shell_with_another_tmpdir_starts_minigears(
    deep: Path, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.up().redis.set("kept", "yes")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    other = elsewhere("import lab; lab.kill('minigears'); print(lab.up().redis.get('kept'))")
    said = other.communicate(timeout=90)[0]
    assert said.splitlines()[-1:] == ["yes"], said


def test_the_folder_of_a_socket_elsewhere_is_this_users_alone(deep: Path) -> None:
    place = sockets.make_folder(deep)
    assert place.parent.parent in sockets._ELSEWHERE
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    place.parent.chmod(0o755)  # as one that somebody else has made there first
    assert sockets.path(deep) != place
    place.parent.chmod(0o700)
    assert sockets.path(deep) == place


def test_a_folder_that_refuses_sockets_still_runs_a_stack(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sockets.holds_sockets
    monkeypatch.setattr(sockets, "holds_sockets", lambda f: f != home and real(f))
    assert lab.up().redis.ping()
    place = sockets.path(home)
    assert place.parent != home
    found = {finding.what: finding.detail for finding in machine.doctor().findings}
    assert str(place) in found["socket"]
    lab.down()
    assert not place.parent.exists()


def test_where_no_place_will_do_the_message_says_what_would(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "holds_sockets", lambda folder: False)
    with pytest.raises(lab.LabError, match=r"cannot hold a unix socket.*Set LAB_HOME"):
        lab.up()
    report = machine.doctor()
    assert not report.healthy
    assert "cannot hold a unix socket" in repr(report)


def test_a_socket_that_somebody_removed_comes_back(home: Path) -> None:
    lab.up().redis.set("kept", "yes")
    sockets.path(home).unlink()
    assert lab.up().redis.get("kept") == "yes"
    assert sockets.path(home).is_socket()
