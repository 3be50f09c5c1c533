"""minigears with a switch for each of the door's loops: `faulty.py FOLDER OPTION…`.

A file in FOLDER named like a place makes that place raise, as often as the file says, what a machine
without memory raises, or what nobody expects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigears.cli import main
from minigears.door.events.journal import Journal
from minigears.door.events.notifications import Notifications
from minigears.door.executor import Executor
from minigears.door.pipe import Pipe
from minigears.door.redis import Connection
from minigears.door.serving import served
from minigears.door.upkeep import Upkeep
from minigears.interest import Interest

FOLDER = Path(sys.argv.pop(1))
PLACES: dict[str, tuple[Any, str]] = {
    "beat": (Upkeep, "_beat"),
    "reconnect": (Upkeep, "_reconnect"),
    "recover": (Journal, "leftovers"),
    "interest": (Interest, "needs_events"),
    "spawn": (Executor, "_spawn"),
    "event": (Notifications, "_message"),
    "send": (Executor, "send_events"),
    "frame": (Pipe, "data_received"),
    "reply": (Connection, "on_reply"),
    "serve": (served, "serve"),
}


def guarded(place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, unless the switch of this place is on."""

    def call(*args: Any, **kwargs: Any) -> Any:
        switch = FOLDER / place
        if switch.exists():
            left = int(switch.read_text()) - 1
            switch.write_text(str(left)) if left else switch.unlink()
            raise MemoryError(place) if left % 2 else KeyError(place)
        return function(*args, **kwargs)

    return call


for name, (owner, attribute) in PLACES.items():
    original = owner.__dict__[attribute]
    if isinstance(original, property):
        assert original.fget
        setattr(owner, attribute, property(guarded(name, original.fget)))
    else:
        setattr(owner, attribute, guarded(name, original))

main()
