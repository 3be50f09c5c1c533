"""A minigears with users, and redis-cli."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.minigears.realgears import SHARED_CACHE, MiniGears, guarded_gears
from tests.programs import left_out


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears whose Redis asks for a password, and has users who may not do everything.

    `coder` may do everything, `writer` all but scripts, `reader` only read (not even PING); their passwords are
    their names.
    """
    users = {"coder": "+@all", "writer": "+@all -@scripting", "reader": "+@read +hello +auth"}
    everything = {user: f"~* &* {rules}" for user, rules in users.items()}
    directory = tmp_path_factory.mktemp("guarded")
    with guarded_gears(directory, everything, "--cache", str(SHARED_CACHE)) as gears:
        yield gears


@pytest.fixture
def redis_cli() -> str:
    """Redis's own redis-cli, not the one of our environment."""
    ours = str(Path(sys.executable).parent)
    places = [place for place in os.environ["PATH"].split(os.pathsep) if place != ours]
    found = shutil.which("redis-cli", path=os.pathsep.join(places))
    if found is None:
        left_out("no redis-cli on this machine (Debian: apt-get install redis-tools)")
    return found
