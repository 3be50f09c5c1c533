"""What one node of a Redis Cluster says of all: who has which slots, since which epoch. Pure.

Nodes tell each other what they own, with an epoch; of two that claim a slot the greater epoch has it.
Source: Redis Cluster's specification, "Hash slots configuration propagation".
"""

from __future__ import annotations

from dataclasses import dataclass

_FIELDS = 8  # of a line, before its slots
_IDENTITY, _FLAGS, _EPOCH = 0, 2, 6


@dataclass(frozen=True)
class View:
    """The masters that have slots: identity, epoch, first and last slot of each range."""

    owners: frozenset[tuple[str, int, tuple[tuple[int, int], ...]]]

    @property
    def decided(self) -> bool:
        """Whether no two have one epoch: else one of them is about to take a greater one."""
        return len({epoch for _, epoch, _ in self.owners}) == len(self.owners)

    def owner(self, slot: int) -> str:
        """Return the identity of a slot's owner, '' if it has none."""
        for identity, _, ranges in self.owners:
            if any(first <= slot <= last for first, last in ranges):
                return identity
        return ""


def view_of(nodes: str) -> View:
    """Read the reply to CLUSTER NODES. Raises ValueError for anything else."""
    owners = set()
    for line in nodes.splitlines():
        words = line.split()
        if len(words) < _FIELDS:
            raise ValueError(f"not a line of CLUSTER NODES: {line!r}")
        # In brackets: a slot on its way.
        ranges = [word.partition("-") for word in words[_FIELDS:] if not word.startswith("[")]
        if ranges and "master" in words[_FLAGS].split(","):
            slots = tuple((int(first), int(last or first)) for first, _, last in ranges)
            owners.add((words[_IDENTITY], int(words[_EPOCH]), slots))
    return View(frozenset(owners))
