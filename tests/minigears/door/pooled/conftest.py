"""Clients among enough others to share connections."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.minigears.door.pooled.talking import Talk, crowd


@pytest.fixture
def talk(gears):
    """Makes clients of the shared minigears, among as many others as it takes to share."""
    with crowd(gears), ExitStack() as stack:

        def start() -> Talk:
            client = Talk(stack.enter_context(gears.raw()))
            stack.enter_context(client.stream)
            return client

        yield start
