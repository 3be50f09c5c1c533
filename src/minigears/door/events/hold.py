"""What holds replies back: writes of a client that functions are still to be called for. Pure data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from minigears.door.events.journal import Intent


@dataclass
class Hold:
    """Writes of one batch whose replies have to wait."""

    first: int
    """Number of the first command of the batch."""
    last: int
    """Number of the last command of the batch that concerns a registration."""
    keys: Collection[bytes]
    intent: Intent
    blocking: bool = False
    """Whether one of the commands may wait in Redis for somebody else."""
    settled: bool = False

    def __len__(self) -> int:
        """How many commands it is about."""
        return self.last - self.first + 1

    @property
    def size(self) -> int:
        """Bytes of its keys."""
        return sum(map(len, self.keys))
