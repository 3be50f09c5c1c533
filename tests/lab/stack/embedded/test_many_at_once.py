"""A class on one server: twelve `lab up` in the same second."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab import paths
from lab.stack.embedded import processes
from tests.freeports import free_ports
from tests.lab.conftest import end_all

LAB = str(paths.scripts() / "lab")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_each_of_many_finds_its_ports(tmp_path: Path) -> None:
    ports = dict(zip(("REDIS", "MINIGEARS", "MONGO"), map(str, free_ports(3)), strict=True))
    same = {"LAB_STACK": "embedded", **{f"LAB_PORT_{name}": port for name, port in ports.items()}}
    homes = [tmp_path / str(number) for number in range(12)]
    starting = [
        subprocess.Popen(
            [LAB, "up"],
            env={**os.environ, **same, "LAB_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for home in homes
    ]
    try:
        said = [one.communicate()[0] for one in starting]
        assert [one.returncode for one in starting] == [0] * len(homes), said
        listening = [
            process.pid
            for home in homes
            for process in processes.marked(home, "minigears")
            if process.ppid() not in {p.pid for p in processes.marked(home)}
        ]
        assert len(set(listening)) == len(homes)
    finally:
        for home in homes:
            end_all(home)
