"""A sink that is open."""

from __future__ import annotations

import pytest

from recipes.streams import (
    Sink,
)


@pytest.fixture(autouse=True)
def opened(sink: Sink) -> None:
    sink.open()
