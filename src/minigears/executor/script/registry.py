"""All registrations in force, and what of theirs the door must watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from minigears.executor.ids import to_number
from minigears.executor.script.args import CommandArgs
from minigears.executor.script.registrations import Registration, Spec, cut

_MAX_HEIRS = 1000
"""Registrations that are gone and whose heirs are known; events are on their way for milliseconds."""


class Registry:
    """All registrations in force. Readers see a whole state; changes replace it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Registration] = {}
        self._triggers: dict[str, Registration] = {}
        self._streaming: tuple[Registration, ...] = ()
        self._hooks: dict[bytes, list[Registration]] = {}
        self._heirs: dict[str, tuple[str, ...]] = {}

    def __iter__(self) -> Iterator[Registration]:
        """In the order of registration."""
        return iter(self._all.values())

    def get(self, registration_id: str) -> Registration | None:
        """The registration of this id."""
        return self._all.get(registration_id)

    @property
    def streaming(self) -> tuple[Registration, ...]:
        """The StreamReader registrations."""
        return self._streaming

    def heirs(self, registration_id: str, key: bytes, event: str) -> list[Registration]:
        """Who takes an event that was on its way to a registration when others replaced it."""
        found = []
        for heir in self._heirs.get(registration_id, ()):
            registration = self._all.get(heir)
            if registration is None:
                found += self.heirs(heir, key, event)
            elif registration.wants(key, event):
                found.append(registration)
        return found

    def trigger(self, name: str) -> Registration | None:
        """The CommandReader registration that `RG.TRIGGER name` runs."""
        return self._triggers.get(name)

    def hooks(
        self, argv: Sequence[bytes], keys: Callable[[], Sequence[bytes]]
    ) -> list[Registration]:
        """Those that stand in front of a command, the last one registered first."""
        standing = self._hooks.get(argv[0].lower()) if self._hooks else None
        return [r for r in standing if _is_for(r, keys())] if standing else []

    def change(self, add: Iterable[Registration], remove: Iterable[str]) -> None:
        """Take some in and others out, at once."""
        with self._lock:
            add, gone = list(add), set(remove)
            if add:
                self._heirs.update(dict.fromkeys(gone, tuple(r.id for r in add)))
                for oldest in list(self._heirs)[:-_MAX_HEIRS]:
                    del self._heirs[oldest]
            kept = [r for r in self._all.values() if r.id not in gone]
            everything = sorted([*kept, *add], key=lambda r: to_number(r.id) or 0)
            self._all = {r.id: r for r in everything}
            self._streaming = tuple(r for r in everything if r.spec.reader == "StreamReader")
            hooks: dict[bytes, list[Registration]] = {}
            for r in reversed(everything):
                if isinstance(r.args, CommandArgs) and r.args.hooked is not None:
                    hooks.setdefault(r.args.hooked.encode(), []).append(r)
            self._hooks = hooks
            self._triggers = {
                r.args.trigger: r
                for r in everything
                if r.spec.reader == "CommandReader" and r.args.trigger is not None
            }

    def keys_patterns(self) -> list[tuple[bytes, bool, bool]]:
        """What KeysReader registrations watch: (key or prefix, exact, wants key misses)."""
        return [
            (*cut(r.args.prefix), r.args.event_types is not None and _wants_misses(r))
            for r in self
            if r.spec.reader == "KeysReader"
        ]

    def sync_patterns(self) -> list[tuple[bytes, bool]]:
        """What registrations are about that run before a writer goes on: (key or prefix, exact)."""
        readers = ("KeysReader", "StreamReader")
        return [cut(r.args.prefix) for r in self if r.sync and r.spec.reader in readers]

    def interest(self) -> dict[str, Any]:
        """The frame that tells the door what to watch (see docs/architecture.md)."""
        return {
            "keys": [
                *(keys_interest(r.spec) for r in self if r.spec.reader == "KeysReader"),
                *(_sync_stream_interest(r) for r in self if r.runner is not None and r.sync),
            ],
            "streams": [
                {"id": r.id, "prefix": cut(r.args.prefix)[0], "exact": cut(r.args.prefix)[1]}
                for r in self
                if r.spec.reader == "StreamReader"
            ],
            "hooks": [
                {"id": r.id, "command": r.args.hooked, "prefix": r.args.key_prefix}
                for r in self
                if r.spec.reader == "CommandReader" and r.args.hooked is not None
            ],
        }


def hooks_of(registrations: Iterable[Registration], command: str) -> list[Registration]:
    """Those that stand in front of a command."""
    return [
        r for r in registrations if isinstance(r.args, CommandArgs) and r.args.hooked == command
    ]


def keys_interest(spec: Spec) -> dict[str, Any]:
    """What the door is to watch for a KeysReader registration."""
    args: Any = spec.args
    prefix, exact = cut(args.prefix)
    return {
        "id": spec.id,
        "prefix": prefix,
        "exact": exact,
        "events": None if args.event_types is None else list(args.event_types),
        "commands": None if args.commands is None else list(args.commands),
        "mode": spec.mode,
    }


def _is_for(registration: Registration, keys: Sequence[bytes]) -> bool:
    prefix = registration.args.key_prefix
    if prefix is None:
        return True
    begin = prefix.removesuffix("*").encode()
    return prefix == "*" or any(key.startswith(begin) for key in keys)


def _sync_stream_interest(registration: Registration) -> dict[str, Any]:
    """Clients of XADD wait for a sync stream registration as they do for one of keys."""
    prefix, exact = cut(registration.args.prefix)
    name = {"id": registration.id, "prefix": prefix, "exact": exact}
    return {**name, "events": ["xadd"], "commands": None, "mode": "sync"}


def _wants_misses(registration: Registration) -> bool:
    return any(event.lower() == "keymiss" for event in registration.args.event_types)
