"""Registrations: a flow that runs for every event of its kind, and what the door must watch."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from minigears.executor.ids import to_number
from minigears.executor.redis.prefetch import Habits
from minigears.executor.script import args as arguments
from minigears.executor.script.args import Args, CommandArgs, KeysArgs
from minigears.executor.script.pickling import Code
from minigears.executor.stats import Stats
from minigears.executor.streams import StreamArgs, StreamReaderRunner

if TYPE_CHECKING:
    from minigears.executor.script.sessions import Session

_MAX_HEIRS = 1000
"""Registrations that are gone and whose heirs are known; events are on their way for milliseconds."""

_ARGS: dict[str, type[Args]] = {
    "KeysReader": KeysArgs,
    "StreamReader": StreamArgs,
    "CommandReader": CommandArgs,
}


@dataclasses.dataclass
class Spec:
    """What is stored of a registration."""

    id: str
    reader: str
    desc: str | None
    mode: str
    args: Args

    def pack(self) -> dict[str, Any]:
        """As built-in types."""
        return {**vars(self), "args": dataclasses.asdict(self.args)}

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Spec:
        """From what `pack` returned."""
        return cls(**{**packed, "args": _ARGS[packed["reader"]](**packed["args"])})


class Registration:
    """A registration that is in force. Its functions are the script's own while the process lives."""

    def __init__(self, spec: Spec, session: Session, code: Code):
        self.spec = spec
        self.id = spec.id
        self.args: Any = spec.args
        self.session = session
        self.stats = Stats()
        self.runner: StreamReaderRunner | None = None
        self.leaving = False
        """A running script has taken it out: it stays in force until the script has ended."""
        self.last_type: str | None = None
        """The type of the key that it read last, which the next one probably has, too."""
        self.habits = Habits()
        self.steps, self.on_registered = code

    @property
    def sync(self) -> bool:
        """Whether it runs on the main thread, before the client has its reply."""
        return self.spec.mode == "sync"

    @property
    def marked(self) -> bool:
        """Whether its own writes raise no KeysReader events."""
        return self.sync and self.spec.reader == "KeysReader"

    def wants(self, key: bytes, event: str) -> bool:
        """Whether it is a KeysReader registration about this event of this key."""
        if self.spec.reader != "KeysReader":
            return False
        prefix, exact = _cut(self.args.prefix)
        types = self.args.event_types
        if types is not None and event not in {name.lower() for name in types}:
            return False
        return key == prefix if exact else key.startswith(prefix)

    def data(self) -> list[Any]:
        """The field `RegistrationData` of `RG.DUMPREGISTRATIONS`."""
        is_stream = self.spec.reader == "StreamReader"
        running_ms = self.runner.lag_ms if self.runner is not None else 0.0
        shown = ["mode", self.spec.mode, *self.stats.fields(is_stream, running_ms)]
        shown += ["args", arguments.fields(self.args)]
        if self.runner is not None:
            shown += ["status", self.runner.status.value]
        return shown

    def describe(self) -> list[Any]:
        """The fields that `RG.DUMPREGISTRATIONS` and `RG.PYDUMPSESSIONS VERBOSE` both show."""
        shown = ["id", self.id, "reader", self.spec.reader, "desc", self.spec.desc]
        return [*shown, "RegistrationData", self.data()]


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
                if isinstance(r.args, CommandArgs) and r.args.hook is not None:
                    hooks.setdefault(r.args.hook.encode(), []).append(r)
            self._hooks = hooks
            self._triggers = {
                r.args.trigger: r
                for r in everything
                if r.spec.reader == "CommandReader" and r.args.trigger is not None
            }

    def keys_patterns(self) -> list[tuple[bytes, bool, bool]]:
        """What KeysReader registrations watch: (key or prefix, exact, wants key misses)."""
        return [
            (*_cut(r.args.prefix), r.args.event_types is not None and _wants_misses(r))
            for r in self
            if r.spec.reader == "KeysReader"
        ]

    def interest(self) -> dict[str, Any]:
        """The frame that tells the door what to watch (see docs/architecture.md)."""
        return {
            "keys": [
                *(keys_interest(r.spec) for r in self if r.spec.reader == "KeysReader"),
                *(_sync_stream_interest(r) for r in self if r.runner is not None and r.sync),
            ],
            "streams": [
                {"id": r.id, "prefix": _cut(r.args.prefix)[0], "exact": _cut(r.args.prefix)[1]}
                for r in self
                if r.spec.reader == "StreamReader"
            ],
            "hooks": [
                {"id": r.id, "command": r.args.hook, "prefix": r.args.key_prefix}
                for r in self
                if r.spec.reader == "CommandReader" and r.args.hook is not None
            ],
        }


def hooks_of(registrations: Iterable[Registration], command: str) -> list[Registration]:
    """Those that stand in front of a command."""
    return [r for r in registrations if isinstance(r.args, CommandArgs) and r.args.hook == command]


def keys_interest(spec: Spec) -> dict[str, Any]:
    """What the door is to watch for a KeysReader registration."""
    args: Any = spec.args
    prefix, exact = _cut(args.prefix)
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
    prefix, exact = _cut(registration.args.prefix)
    name = {"id": registration.id, "prefix": prefix, "exact": exact}
    return {**name, "events": ["xadd"], "commands": None, "mode": "sync"}


def _cut(prefix: str) -> tuple[bytes, bool]:
    """A trailing `*` makes a prefix, else the key is exact."""
    raw = prefix.encode()
    return (raw[:-1], False) if raw.endswith(b"*") else (raw, True)


def _wants_misses(registration: Registration) -> bool:
    return any(event.lower() == "keymiss" for event in registration.args.event_types)
