"""A pytest plugin: where containers cannot be tested, it says so in one line and leaves them out."""

from __future__ import annotations

import os
from functools import cache

import pytest

from lab.containers.engine import connect
from lab.containers.images import is_here
from lab.errors import LabError

REDIS_IMAGES = ("write-behind/redis:8.2", "write-behind/redis:valkey")
MONGO_IMAGE = "write-behind/mongo:latest"

REQUIRED = "CONTAINERS_REQUIRED"
"""The environment variable with which .ci/run forbids to leave anything out."""


@cache
def reason() -> str:
    """Say why containers cannot be tested here; an empty string when they can."""
    try:
        connect()
        missing = [image for image in (*REDIS_IMAGES, MONGO_IMAGE) if not is_here(image)]
    except LabError as problem:
        return str(problem)
    return f"no image {', '.join(missing)}: run `make images`" if missing else ""


def pytest_configure() -> None:
    """Refuse to begin where nothing may be left out, and would have to be."""
    if os.environ.get(REQUIRED) and reason():
        raise pytest.UsageError(f"{REQUIRED} is set, and containers cannot be tested: {reason()}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of containers out where they cannot run."""
    wanted = [item for item in items if item.get_closest_marker("containers")]
    if not wanted or not reason():
        return
    items[:] = [item for item in items if item not in wanted]
    config.hook.pytest_deselected(items=wanted)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it, when tests of containers were among those asked for."""
    asked = any("containers" in str(path) or str(path) in ("tests", ".") for path in config.args)
    if asked and reason():
        terminalreporter.write_line(f"Left out: tests/containers. {reason()}")
