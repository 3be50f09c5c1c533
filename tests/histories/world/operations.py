"""What clients are going to ask for, from a seed: a few hot keys and many cold ones. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.histories.verdict.history import Kind
from tests.histories.verdict.model import NUMBER

TITLE = "O'Brien's \"Gökten\""
"""What breaks careless JSON."""

HOT, COLD = 3, 200
"""How many keys of each sort there are."""

_WEIGHTS = {
    Kind.SET: 30,
    Kind.MERGE: 20,
    Kind.PUT: 15,
    Kind.INCREMENT: 10,
    Kind.DELETE: 10,
    Kind.READ: 10,
    Kind.EXPIRE: 4,
    Kind.PERSIST: 4,
    Kind.RENAME: 3,
}


@dataclass(frozen=True)
class Request:
    """An operation before it is sent; `number` is its place in the run, and makes its values unique."""

    number: int
    client: int
    kind: Kind
    key: str
    value: Any = None


def requests(
    seed: int, clients: int, prefix: str, kinds: Iterable[Kind], title: str = TITLE
) -> Iterator[Request]:
    """Yield requests without end. `kinds` are those that the recipe under judgement knows.

    Renames go between cold keys of one client: a hot key tied to others would tie all of them.
    """
    chance = random.Random(f"operations {seed}")
    known = [kind for kind in _WEIGHTS if kind in kinds]
    weights = [_WEIGHTS[kind] for kind in known]
    number = 0
    while True:
        number += 1
        client = chance.randrange(clients)
        [kind] = chance.choices(known, weights)
        hot = chance.random() < 0.5 and kind is not Kind.RENAME
        cold = f"{prefix}c{client}-{chance.randrange(COLD // clients)}"
        key = f"{prefix}h{chance.randrange(HOT)}" if hot else cold
        yield Request(
            number, client, kind, key, _value(chance, kind, number, prefix, client, title)
        )


def _value(
    chance: random.Random, kind: Kind, number: int, prefix: str, client: int, title: str
) -> Any:
    match kind:
        case Kind.SET:
            return {"a": number, "b": number, NUMBER: 0, "title": title}
        case Kind.MERGE | Kind.PUT:
            return {chance.choice("abcd"): number}
        case Kind.INCREMENT:
            return chance.randrange(1, 5)
        case Kind.EXPIRE:
            return chance.choice([0.1, 0.3, 0.9])  # seconds
        case Kind.RENAME:
            return f"{prefix}r{client}-{number}"
    return None
