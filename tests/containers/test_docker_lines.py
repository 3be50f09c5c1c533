"""The lines with docker that the notebooks show, typed for real.

Names, ports and images are the test's own; all else is as a reader sees it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab import containers
from tests import janitor
from tests.containers.conftest import engine_wait, run_docker
from tests.docker_here import MONGO_IMAGE, REDIS_IMAGES
from tests.freeports import free_ports
from tests.notebooks.book import FOLDER, Book, fences

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

BOOK = Book(FOLDER / "02_start_the_stack.ipynb")


def shown() -> list[str]:
    """The lines of notebook 02's section on containers: first the fence's, then the table's."""
    (section,) = [s for s in BOOK.sections() if s.title == "The same parts in containers"]
    (fence,) = fences(section.prose, "")
    in_table = re.findall(r"`(docker (?!compose|run)[^`]+)`", section.prose.replace(fence, ""))
    return [*fence.splitlines(), *in_table]


class Terminal:
    """Runs lines, with names that only this run of tests uses and labels that its janitor knows."""

    def __init__(self) -> None:
        run = Path(os.environ[janitor.MARK])
        self.mine = f"{run.name}-lines"
        label = f"--label {containers.HOME}={run}/lines"
        redis, mongo = free_ports(2)
        self._changes = [
            (r" -it ", " -i "),  # there is no terminal
            (r"redislabs/redismod$", REDIS_IMAGES[0]),
            (r" mongo$(?<=27017 mongo)", f" {MONGO_IMAGE}"),
            (r"--name (\w+)", rf"--name {self.mine}-\1 --network-alias \1 {label}"),
            (r"--network (\w+)", rf"--network {self.mine}-\1"),
            (r"network create (\w+)", rf"network create {label} {self.mine}-\1"),
            (r"(?<=exec -i |..... stop |.... start |..... kill |..... logs )(\w+)", rf"{self.mine}-\1"),
            (r":6379:", f":{redis}:"),
            (r":27017:", f":{mongo}:"),
        ]

    def type(self, line: str) -> str:
        """Run a line as it is shown, but for what has to be another's."""
        for pattern, replacement in self._changes:
            line = re.sub(pattern, replacement, line)
        return run_docker(*line.split()[1:])
