"""The embedded stack on a machine that is in its way: taken ports, full disks, odd folders, another clock."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

import lab
from lab import paths
from lab.stack import lifecycle
from lab.stack.embedded import processes, sockets, statefile
from lab.stack.embedded import running as embedded
from lab.stack.embedded.services import SERVICES
from lab.stack.model import Stack
from tests.lab.stack.embedded.counting import count, pids


def test_a_taken_port_is_named_and_the_next_one_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(socket.socket()) as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        monkeypatch.setenv("LAB_PORT_MONGO", str(taken))
        stack = lab.up()
        assert f"Port {taken} is taken by" in capsys.readouterr().out
        assert not stack.mongo_url.endswith(f":{taken}")
        assert stack.db.command("ping")["ok"] == 1


def test_a_full_disk_is_told_before_anything_starts(home: Path) -> None:
    with pytest.raises(lab.LabError, match="Free some space, or set LAB_HOME"):
        embedded.check_disk(home, least=2**62)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a tiny disk")
def test_a_disk_that_fills_up_while_writing(home: Path) -> None:
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(home)])
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a tiny disk")
    try:
        with contextlib.suppress(OSError):
            (home / "filler").write_bytes(b"x" * 32768)
        with pytest.raises(lab.LabError, match="is full"):
            statefile.write(home, statefile.State({"redis": statefile.KnownService(1)}))
        assert not (home / "stack.json").exists()
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_home_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("LAB_HOME", str(file / "lab"))
    with pytest.raises(lab.LabError, match="cannot be written"):
        lab.up("embedded")


def test_a_deep_folder_still_gets_a_socket(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("LAB_HOME", str(deep))
    try:
        assert lab.up().redis.ping()
        assert len(str(sockets.path(deep))) < 100
        lab.down()
        assert not sockets.path(deep).parent.exists()
    finally:
        processes.kill(processes.marked(deep))


def test_a_machine_without_redis_server_is_told_where_to_go(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "redis_server", lambda: None)
    with pytest.raises(lab.Unsupported, match=r"There is no redis-server.*LAB_STACK=external"):
        lab.up()
    assert processes.marked(home) == []


@pytest.mark.parametrize("said", ["abc", "0", "-1", "70000", "6379.0"])
def test_a_port_that_is_none_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("LAB_PORT_REDIS", said)
    with pytest.raises(lab.LabError, match=f"LAB_PORT_REDIS={said} is no port"):
        lab.up()


def test_a_home_that_is_a_file_is_told_by_status(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "file"))
    with pytest.raises(lab.LabError, match="Set LAB_HOME"):
        lab.status()


def test_a_clock_that_is_set_does_not_hide_a_running_stack(
    breakable: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pids()
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 7200)
    assert pids() == before
    lab.up()
    assert pids() == before
    assert [count(paths.home(), name) for name in SERVICES] == [1] * len(SERVICES)


def test_a_copy_of_the_folder_is_another_stack(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.up().redis.set("kept", "yes")
    first = pids()
    copy = tmp_path / "copy"
    shutil.copytree(home, copy, ignore=lambda folder, names: [n for n in names if "sock" in n])
    monkeypatch.setenv("LAB_HOME", str(copy))
    monkeypatch.setattr(lifecycle, "_current", None)
    try:
        assert not pids()
        lab.down(data=True)
        assert all(psutil.pid_exists(pid) for pid in first.values())
    finally:
        monkeypatch.setenv("LAB_HOME", str(home))
    assert pids() == first
