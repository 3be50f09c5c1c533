"""What the door has to watch for, as the executor's registrations ask for it. Pure data and look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minigears.prefixmap import PrefixMap

OWN_CHANNEL = b"__minigears__:own"
"""Where the executor brackets the writes of sync functions, which raise no KeysReader events."""

OFFSET_CHANNEL = b"__minigears__:offset"
"""Where a client publishes before it first uses a connection of its own, after writes on a shared one:
then WAIT and WAITAOF wait for those, too."""

KEYSPACE = b"__keyspace@0__:"
"""Channels of database 0's notifications, where RedisGears runs its functions."""

_MAX_PATTERNS = 64
"""Redis tries each pattern on each event: beyond so many it tells of all keys, and the door chooses."""

_READ_EVENTS = frozenset({"keymiss", "expired"})
"""Events that a command which only reads can cause."""


@dataclass(frozen=True)
class KeyWatch:
    """A KeysReader registration: which keys and events it wants, and how.

    `events` and `commands` are lower-case names, or None for all events and no commands.
    """

    id: str
    prefix: bytes
    exact: bool
    events: frozenset[str] | None
    commands: frozenset[bytes] | None
    sync: bool

    def wants(self, event: str) -> bool:
        """Whether the registration is about this event of a key that it is about.

        Reading a key that is not there changes nothing: a key miss has to be asked for by name.
        """
        return event != "keymiss" if self.events is None else event in self.events


@dataclass(frozen=True)
class Hook:
    """A CommandReader registration that stands in front of a command."""

    id: str
    command: bytes
    prefix: bytes | None


@dataclass(frozen=True)
class Interest:
    """Everything that the registrations of one moment ask of the door."""

    keys: tuple[KeyWatch, ...] = ()
    streams: tuple[tuple[bytes, bool], ...] = ()
    """Prefixes of the streams that registrations read; the flag says that it is a whole key."""
    hooks: tuple[Hook, ...] = ()
    unloaded: frozenset[str] = frozenset()
    """Registrations of sessions that could not be loaded: their events wait for that."""
    unloaded_sessions: int = 0

    @classmethod
    def from_frame(cls, frame: dict[str, Any]) -> Interest:
        """Read the executor's `interest` frame (see docs/architecture.md)."""
        keys = tuple(_key_watch(entry) for entry in frame["keys"])
        streams = {_pattern(entry["prefix"], entry.get("exact")) for entry in frame["streams"]}
        unloaded = frame.get("unloaded", {"ids": (), "sessions": 0})
        return cls(
            keys=keys,
            streams=tuple(sorted(streams)),
            hooks=tuple(_hook(entry) for entry in frame["hooks"]),
            unloaded=frozenset(unloaded["ids"]),
            unloaded_sessions=unloaded["sessions"],
        )

    def __bool__(self) -> bool:
        return bool(self.keys or self.streams or self.hooks)

    @cached_property
    def _watches(self) -> PrefixMap[KeyWatch]:
        return PrefixMap((watch.prefix, watch.exact, watch) for watch in self.keys)

    @cached_property
    def _by_id(self) -> dict[str, KeyWatch]:
        return {watch.id: watch for watch in self.keys}

    def names(self, registration: str, command: bytes) -> bool:
        """Whether the `commands` of this registration name this command."""
        watch = self._by_id.get(registration)
        return watch is not None and command.lower() in (watch.commands or ())

    @cached_property
    def _streams(self) -> PrefixMap[None]:
        return PrefixMap((prefix, exact, None) for prefix, exact in self.streams)

    @property
    def needs_events(self) -> bool:
        """Whether Redis has to tell what happens to keys."""
        return bool(self.keys or self.streams)

    @property
    def reads_matter(self) -> bool:
        """Whether an event is wanted that a read can cause."""
        return any(w.events is not None and w.events & _READ_EVENTS for w in self.keys)

    @property
    def special_commands(self) -> frozenset[bytes]:
        """Commands, in lower case, that a hook or a registration's `commands` asks for."""
        asked = [hook.command for hook in self.hooks]
        return frozenset(asked).union(*(w.commands for w in self.keys if w.commands))

    @property
    def watched(self) -> tuple[bytes, ...]:
        """What the key of each concerned command begins with."""
        return tuple(text for text, _ in self._watches.outermost())

    def concerns(self, key: bytes) -> bool:
        """Whether any KeysReader registration is about this key."""
        return key in self._watches

    def about(self, key: bytes) -> list[KeyWatch]:
        """KeysReader registrations about this key."""
        return self._watches.find(key)

    def watchers(self, key: bytes, event: str) -> list[KeyWatch]:
        """KeysReader registrations that want this event of this key."""
        return [watch for watch in self._watches.find(key) if watch.wants(event)]

    def is_stream(self, key: bytes) -> bool:
        """Whether a StreamReader registration is about this key."""
        return key in self._streams

    def hooks_for(self, name: bytes, keys: Sequence[bytes]) -> list[str]:
        """Ids of the hooks that stand in front of a command; the last one registered comes first."""
        name = name.lower()
        return [
            hook.id
            for hook in reversed(self.hooks)
            if hook.command == name and _prefix_fits(hook.prefix, keys)
        ]

    def takes_command(self, name: bytes, keys: Sequence[bytes]) -> bool:
        """Whether a registration's `commands` names this command, for one of these keys."""
        name = name.lower()
        watches = [watch for key in keys for watch in self.about(key)]
        return any(watch.commands and name in watch.commands for watch in watches)

    def subscriptions(self) -> frozenset[bytes]:
        """Patterns to `PSUBSCRIBE` to, none inside another: Redis sends one message per pattern."""
        wanted = [(watch.prefix, watch.exact, None) for watch in self.keys]
        wanted += [(prefix, exact, None) for prefix, exact in self.streams]
        outermost = PrefixMap(wanted).outermost()
        if not outermost:
            return frozenset()
        if len(outermost) > _MAX_PATTERNS:
            outermost = [(b"", False)]
        patterns = {_glob(text) + (b"" if exact else b"*") for text, exact in outermost}
        return frozenset({KEYSPACE + p for p in patterns} | {OWN_CHANNEL})


def _glob(text: bytes) -> bytes:
    escaped = text.replace(b"\\", b"\\\\")
    for char in (b"*", b"?", b"[", b"]"):
        escaped = escaped.replace(char, b"\\" + char)
    return escaped


def _pattern(prefix: bytes | str, exact: bool | None = None) -> tuple[bytes, bool]:
    """A trailing `*` makes a prefix, else the key is exact; `exact` says that it is cut already."""
    raw = prefix.encode() if isinstance(prefix, str) else prefix
    if exact is not None:
        return raw, exact
    return (raw[:-1], False) if raw.endswith(b"*") else (raw, True)


def _key_watch(entry: dict[str, Any]) -> KeyWatch:
    prefix, exact = _pattern(entry["prefix"], entry.get("exact"))
    events, commands = entry["events"], entry["commands"]
    return KeyWatch(
        id=entry["id"],
        prefix=prefix,
        exact=exact,
        events=None if events is None else frozenset(event.lower() for event in events),
        commands=frozenset(name.lower().encode() for name in commands) if commands else None,
        sync=entry["mode"] == "sync",
    )


def _hook(entry: dict[str, Any]) -> Hook:
    prefix = entry["prefix"]
    raw = prefix.encode() if isinstance(prefix, str) else prefix
    return Hook(id=entry["id"], command=entry["command"].lower().encode(), prefix=raw)


def _prefix_fits(prefix: bytes | None, keys: Sequence[bytes]) -> bool:
    """A hook's prefix needs no star; one at its end does no harm."""
    if prefix is None or prefix == b"*":
        return True
    return any(key.startswith(prefix.removesuffix(b"*")) for key in keys)
