"""A minigears with users, for the tests of what each may do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.minigears.realgears import PASSWORD, MiniGears, guarded_gears
from tests.minigears.security.rights import USERS


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    """A minigears before a Redis with a password and users."""
    with guarded_gears(tmp_path_factory.mktemp("guarded"), USERS) as gears:
        yield gears


@pytest.fixture
def admin(guarded: MiniGears) -> Iterator[redis.Redis]:
    """A client that may do everything; no registrations, no keys."""
    guarded.empty(password=PASSWORD)
    with guarded.client(password=PASSWORD) as client:
        client.set("k", "v")
        yield client
