"""What the door has to watch for, as the executor's registrations ask for it. Pure data and look-ups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

OWN_CHANNEL = b"__minigears__:own"
"""Where the executor brackets the writes of sync functions, which raise no KeysReader events."""

KEYSPACE = b"__keyspace@0__:"
"""Channels of database 0's notifications, where RedisGears runs its functions."""

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

    def matches(self, key: bytes) -> bool:
        """Whether the registration is about this key."""
        return key == self.prefix if self.exact else key.startswith(self.prefix)

    def wants(self, key: bytes, event: str) -> bool:
        """Whether the registration is about this event of this key.

        Reading a key that is not there changes nothing: a key miss has to be asked for by name.
        """
        named = event != "keymiss" if self.events is None else event in self.events
        return named and self.matches(key)


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
    _prefixes: tuple[bytes, ...] = field(default=(), repr=False)
    _exact: frozenset[bytes] = field(default=frozenset(), repr=False)

    @classmethod
    def from_frame(cls, frame: dict[str, Any]) -> Interest:
        """Read the executor's `interest` frame (see docs/architecture.md)."""
        keys = tuple(_key_watch(entry) for entry in frame["keys"])
        streams = {_pattern(entry["prefix"], entry.get("exact")) for entry in frame["streams"]}
        return cls(
            keys=keys,
            streams=tuple(sorted(streams)),
            hooks=tuple(_hook(entry) for entry in frame["hooks"]),
            _prefixes=tuple({watch.prefix for watch in keys if not watch.exact}),
            _exact=frozenset(watch.prefix for watch in keys if watch.exact),
        )

    def __bool__(self) -> bool:
        return bool(self.keys or self.streams or self.hooks)

    @property
    def reads_matter(self) -> bool:
        """Whether an event is wanted that a read can cause."""
        return any(w.events is not None and w.events & _READ_EVENTS for w in self.keys)

    @property
    def special_commands(self) -> frozenset[bytes]:
        """Commands, in lower case, that a hook or a registration's `commands` asks for."""
        asked = [hook.command for hook in self.hooks]
        return frozenset(asked).union(*(w.commands for w in self.keys if w.commands))

    def concerns(self, key: bytes) -> bool:
        """Whether any KeysReader registration is about this key."""
        return key.startswith(self._prefixes) or key in self._exact

    def watchers(self, key: bytes, event: str) -> list[KeyWatch]:
        """KeysReader registrations that want this event of this key."""
        return [watch for watch in self.keys if watch.wants(key, event)]

    def is_stream(self, key: bytes) -> bool:
        """Whether a StreamReader registration is about this key."""
        return any(key == p if exact else key.startswith(p) for p, exact in self.streams)

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
        watches = [watch for watch in self.keys if watch.commands and name in watch.commands]
        return any(watch.matches(key) for watch in watches for key in keys)

    def subscriptions(self) -> frozenset[bytes]:
        """Patterns to `PSUBSCRIBE` to, none inside another: Redis sends one message per pattern."""
        wanted = {(watch.prefix, watch.exact) for watch in self.keys} | set(self.streams)
        prefixes = _outermost(prefix for prefix, exact in wanted if not exact)
        exact = {p for p, is_exact in wanted if is_exact and not p.startswith(tuple(prefixes))}
        patterns = {_glob(prefix) + b"*" for prefix in prefixes} | {_glob(key) for key in exact}
        if not patterns:
            return frozenset()
        return frozenset({KEYSPACE + p for p in patterns} | {OWN_CHANNEL})


def _outermost(prefixes: Iterable[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    for prefix in sorted(prefixes, key=len):
        if not prefix.startswith(tuple(kept)):
            kept.append(prefix)
    return kept


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
    if prefix is None or prefix == b"*":
        return True
    if prefix.endswith(b"*"):
        return any(key.startswith(prefix[:-1]) for key in keys)
    return prefix in keys
