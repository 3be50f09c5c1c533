"""Stored sessions that could not be loaded: their requirements cannot be installed now, say.

They are shown, and tried again. Meanwhile the door watches what their KeysReaders are about, and their events wait
here, so that nothing is missed. Nobody waits for those functions, whatever their mode: it may take long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from minigears.executor.script.registrations import Spec
from minigears.executor.script.registry import keys_interest

Waiting = tuple[bytes, Callable[[], None]]
"""An event's key, and what to run for it."""


@dataclass
class _Session:
    data: bytes
    specs: list[Spec]
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)


class Unloaded:
    """The sessions, by name. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def __bool__(self) -> bool:
        return bool(self._sessions)

    def add(self, name: str, data: bytes, specs: list[Spec]) -> None:
        """A session, as it is stored; without specs if it cannot even be read."""
        with self._lock:
            self._sessions[name] = _Session(data, specs)

    def drop(self, names: Iterable[str]) -> list[Waiting]:
        """Take sessions out, as they are loaded or gone; returns the events that waited for them."""
        with self._lock:
            gone = [self._sessions.pop(name) for name in set(names) & self._sessions.keys()]
        return [
            event for session in gone for events in session.waiting.values() for event in events
        ]

    def hold(self, registration_id: str, key: bytes, job: Callable[[], None]) -> bool:
        """Keep an event if its registration is among these; tells whether it was kept."""
        with self._lock:
            for session in self._sessions.values():
                if any(spec.id == registration_id for spec in session.specs):
                    session.waiting.setdefault(registration_id, []).append((key, job))
                    return True
        return False

    def data(self) -> dict[str, bytes]:
        """The sessions as they are stored."""
        with self._lock:
            return {name: session.data for name, session in self._sessions.items()}

    def named(self, registration_id: str) -> list[str]:
        """The session that a registration belongs to, if it is among these."""
        with self._lock:
            sessions = self._sessions.items()
            return [n for n, s in sessions if any(spec.id == registration_id for spec in s.specs)]

    def interest(self) -> dict[str, Any]:
        """What the door is to watch for them, and what it shows."""
        with self._lock:
            specs = [spec for session in self._sessions.values() for spec in session.specs]
            keys = [spec for spec in specs if spec.reader == "KeysReader"]
            if not self._sessions:
                return {"keys": []}
            return {
                "keys": [
                    keys_interest(spec) | {"mode": "async", "commands": None} for spec in keys
                ],
                "unloaded": {"sessions": len(self._sessions), "ids": [spec.id for spec in specs]},
            }
