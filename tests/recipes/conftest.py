"""One stack for all tests of the recipes, on ports that nobody else was given."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

import lab
from lab import lifecycle, processes
from lab.services import SERVICES
from lab.stack import Stack
from tests.recipes.families import URL_NAME


def free_ports(count: int) -> list[int]:
    """Ask the system for ports that nothing uses, all at once so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("recipes") / "lab"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(home))
        patch.setenv("LAB_STACK", "embedded")
        for name, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True):
            patch.setenv(f"LAB_PORT_{name.upper()}", str(port))
        patch.setattr(lifecycle, "_current", None)
        try:
            yield lab.up()
        finally:
            processes.kill(processes.marked(home))


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    """The stack with both stores empty, nothing registered, and recipes told where MongoDB is."""
    lab.up()
    lab.prepare("empty")
    whole_stack.redis.execute_command("RG.CONFIGSET", URL_NAME, whole_stack.recipe_mongo_url)
    return whole_stack
