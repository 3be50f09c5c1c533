"""Changes as a worker hands them to a sink."""

from __future__ import annotations

from typing import Any

from recipes.streams import (
    Change,
)
from recipes.streams.core.names import version_of


def change(key: str, n: int, document: dict[str, Any] | None = None) -> Change:
    """The write of a document, or its deletion, with version `n`."""
    return Change(key, document, version_of(f"{n}-0"))
