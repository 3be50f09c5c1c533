"""One stack for all tests of the recipes, on ports that nobody else was given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lab
from lab.stack import lifecycle
from lab.stack.embedded import processes
from lab.stack.embedded.services import SERVICES
from lab.stack.model import Stack
from tests.freeports import free_ports
from tests.recipes.gears.families import URL_NAME


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
