"""The ten minutes of recipes/streams/README.md, typed into one shell line by line, but for the ports."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipes.streams import Partitions, Sink, WriteBehind
from recipes.streams.cli import settings
from tests.freeports import free_ports
from tests.plugins.sandbox import REPOSITORY
from tests.programs import left_out
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.writing import drained, letters

README = REPOSITORY / "recipes" / "streams" / "README.md"


def blocks(heading: str) -> list[str]:
    section = README.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [block.partition("\n")[2] for block in section.split("```")[1::2]]


class Shell:
    """A bash that takes one line after the other, as a terminal does."""

    def __init__(self, folder: Path):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
        environment["WRITEBEHIND_LEASE"] = "2"  # seconds; the reader waits for ten
        self.log = folder / "stderr"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                ["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip

    def type(self, line: str) -> str:
        """What a line prints. It has to end well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\necho ended $?\n")
        self._process.stdin.flush()
        said = ""
        for printed in self._process.stdout:
            if printed.startswith("ended "):
                assert printed == "ended 0\n", (line, said, self.log.read_text())
                return said
            said += printed
        raise AssertionError(self.log.read_text())

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PlainRedis]:
    [port] = free_ports(1)
    server = PlainRedis(tmp_path, "--port", str(port))
    server.options += ["--protected-mode", "no"]
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    folder = tmp_path / "reader"
    folder.mkdir()
    shell = Shell(folder)
    yield shell
    shell.end()


def test_register_kill_and_replay(
    server: PlainRedis, mongo_server: MongoServer, mongo: Sink, shell: Shell, tmp_path: Path
) -> None:
    ports = {"6379": server.options[1], "27017": mongo_server.url.rpartition(":")[2]}
    ports["dbSpeedMernDemo"] = "test"

    def as_here(text: str) -> str:
        for usual, here in ports.items():
            text = text.replace(usual, here)
        return text

    app, *rest = map(as_here, blocks("Register, kill, replay: ten minutes"))
    (tmp_path / "reader" / "app.py").write_text(app)
    start, kill, mend = ([line for line in block.splitlines() if line] for block in rest)
    redis = server.client()
    wb = WriteBehind(redis, Partitions(8))

    for line in start:
        shell.type(line)
    wait_for(lambda: letters(wb), 60, lambda: f"a dead letter; {shell.log.read_text()}")
    wait_for(lambda: mongo.read("Movie:1234"), 60)
    *lines, status = kill
    for line in lines:
        shell.type(line)
    wait_for(lambda: "nobody" in shell.type(status), 60, "the dead one's leases to be over")
    assert sum(redis.xlen(p.stream) for p in wb.partitions.all()) == 3
    *lines, stop = mend
    told = ""
    for line in lines:
        told += shell.type(line)
    assert "queued again: Person:1" in told
    assert " 0 differences" in told
    drained(wb)
    for key, document in (
        ("Movie:1234", {"title": "Schindler's List", "year": 1993, "rating": 9}),
        ("Person:1", {"name": "Itzhak Stern"}),
    ):
        stored = mongo.read(key)
        assert stored is not None
        assert stored.document == document
    assert letters(wb) == []
    shell.type(stop)
    shell.type("wait $!")  # which ended by itself, in good order


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        left_out("no systemd-analyze on this machine (Debian: apt-get install systemd)")
    unit = tmp_path / "write-behind.service"
    unit.write_text(
        blocks("As a service")[0].replace("/opt/write-behind/bin/write-behind", "/bin/true")
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_variables_that_it_names_are_settings() -> None:
    named = sorted(set(re.findall(r"WRITEBEHIND_[A-Z_]+", README.read_text("utf-8"))))
    assert settings(f"{name}=1" for name in named)
