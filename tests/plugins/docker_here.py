"""A pytest plugin: where containers cannot be tested, it says so in one line and leaves them out.

`pytest.mark.containers` needs Docker and our images; `pytest.mark.containers("compose")` and its
like need more (`_MORE`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import NoReturn

import pytest

from lab.errors import LabError
from lab.stack.containers.engine import connect
from lab.stack.containers.images import is_here
from tests.programs import left_out

REDIS_IMAGES = ("write-behind/redis:8.2", "write-behind/redis:valkey")
MONGO_IMAGE = "write-behind/mongo:latest"
BASE_IMAGE = "write-behind/base:bookworm"

REQUIRED = "CONTAINERS_REQUIRED"
"""The environment variable with which .ci/run forbids to leave anything out."""


def compose_command() -> list[str] | None:
    """Return docker compose, old or new, or None where there is none. It needs no daemon."""
    plugin = ["docker", "compose"]
    if (
        shutil.which("docker")
        and not subprocess.run([*plugin, "version"], capture_output=True).returncode
    ):
        return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None


def _no_base() -> str:
    return "" if is_here(BASE_IMAGE) else f"no image {BASE_IMAGE}: run `make images BASE=debian`"


def _no_compose() -> str:
    return "" if compose_command() else "docker compose is not installed"


_MORE = {"base": _no_base, "compose": _no_compose}
"""What some tests need besides Docker and our images, and what tells that it is not there."""


@cache
def reason(*needs: str) -> str:
    """Say why containers cannot be tested here; an empty string when they can."""
    try:
        connect()
        missing = [image for image in (*REDIS_IMAGES, MONGO_IMAGE) if not is_here(image)]
    except LabError as problem:
        return str(problem)
    if missing:
        return f"no image {', '.join(missing)}: run `make images`"
    return next((why for need in needs if (why := _MORE[need]())), "")


def leave_out(why: str) -> NoReturn:
    """Skip a test that cannot run here, or fail where nothing may be left out."""
    left_out(why, REQUIRED)


def pytest_configure() -> None:
    """Refuse to begin where nothing may be left out, and would have to be."""
    if os.environ.get(REQUIRED) and (why := reason(*_MORE)):
        raise pytest.UsageError(f"{REQUIRED} is set, and containers cannot be tested: {why}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of containers out where they cannot run."""
    left = [item for item in items if _cannot_run(item)]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def _cannot_run(item: pytest.Item) -> bool:
    marks = list(item.iter_markers("containers"))
    needs = sorted({need for mark in marks for need in mark.args})
    return bool(marks and reason(*needs))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it, when tests of containers were among those asked for."""
    if not any("containers" in str(path) or str(path) in ("tests", ".") for path in config.args):
        return
    if why := reason():
        terminalreporter.write_line(f"Left out: tests/containers. {why}")
    else:
        for why in filter(None, map(reason, _MORE)):
            terminalreporter.write_line(f"Left out: some of tests/containers. {why}")
