"""One world of real servers for a run's worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recipes.twelve.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("twelve"))
    yield world
    world.close()
