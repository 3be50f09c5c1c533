"""Which commands write, and which of their words are keys.

Redis knows: `COMMAND` lists every command of the server and its modules together with its key specifications
(https://redis.io/docs/latest/develop/reference/key-specs/). This module reads that reply and answers
from it; it does no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCRIPTS = frozenset({b"eval", b"evalsha", b"fcall"})
"""Scripts write whatever they like; Redis does not flag them as writing."""

_WRITING = frozenset({b"RW", b"OW", b"RM"})


@dataclass(frozen=True)
class KeySpec:
    """One key specification: where the keys begin and how many there are.

    `keyword` is the word to look for from `index` on (empty: the keys begin at `index`). For a range
    `last` is relative to the first key (negative: from the end), for a key count `numkeys` is where
    the count stands, relative to the beginning.
    """

    index: int
    keyword: bytes
    writes: bool
    last: int = 0
    step: int = 1
    limit: int = 0
    numkeys: int | None = None
    first: int = 0

    def positions(self, argv: Sequence[bytes]) -> range:
        """Positions in `argv` of the keys that this specification names."""
        begin = self._begin(argv)
        if begin is None:
            return range(0)
        if self.numkeys is not None:
            return self._counted(argv, begin)
        end = begin + self.last if self.last >= 0 else len(argv) + self.last
        if self.limit > 1 and self.last == -1:
            end = begin + (len(argv) - begin) // self.limit - 1
        return range(begin, min(end, len(argv) - 1) + 1, max(self.step, 1))

    def _begin(self, argv: Sequence[bytes]) -> int | None:
        if not self.keyword:
            return self.index
        backwards = self.index < 0
        start = len(argv) + self.index if backwards else self.index
        places = range(start, 0, -1) if backwards else range(start, len(argv))
        for place in places:
            if 0 <= place < len(argv) and argv[place].lower() == self.keyword:
                return place + 1
        return None

    def _counted(self, argv: Sequence[bytes], begin: int) -> range:
        try:
            count = int(argv[begin + (self.numkeys or 0)])
        except (IndexError, ValueError):
            return range(0)
        first = begin + self.first
        return range(first, min(first + max(count, 0) * self.step, len(argv)), max(self.step, 1))


@dataclass(frozen=True)
class Command:
    """What the table knows of one command."""

    name: bytes
    writes: bool
    blocking: bool
    specs: tuple[KeySpec, ...]
    subcommands: dict[bytes, Command]
    incomplete: bool
    """Redis cannot tell all of its keys: SORT, whose destination follows the word STORE."""
    outside_scripts: bool
    """Refused inside scripts: MULTI, EVAL, SUBSCRIBE and their like."""
    movable_keys: bool
    """Where its keys stand depends on its other words."""
    arity: int
    """How many words it takes; negative: so many or more."""
    single: int | None
    """Position of the only key, for the many commands that have just one at a fixed place."""


class CommandTable:
    """Commands of one Redis server, by name."""

    def __init__(self, commands: dict[bytes, Command]):
        self._commands = commands
        self._reading = frozenset(
            name
            for name, command in commands.items()
            if not any(part.writes for part in (command, *command.subcommands.values()))
        )

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> CommandTable:
        """Read the reply of `COMMAND` (RESP2, words as bytes)."""
        return cls({c.name: c for c in map(_command, reply)})

    def find(self, argv: Sequence[bytes]) -> Command | None:
        """The command (or subcommand) that `argv` calls; None when the server has no such command."""
        command = self._commands.get(argv[0].lower())
        if command is not None and command.subcommands and len(argv) > 1:
            return command.subcommands.get(argv[1].lower(), command)
        return command

    def knows(self, name: bytes) -> bool:
        """Whether the server has a command of this name."""
        return name.lower() in self._commands

    def is_write(self, name: bytes) -> bool:
        """Whether a command of this name may change a key; unknown commands may."""
        return name.lower() not in self._reading

    def arity_fits(self, argv: Sequence[bytes]) -> bool:
        """Whether Redis would let a command with so many words begin; of an unknown one it may."""
        command = self.find(argv)
        if command is None:  # of a module that was loaded since, perhaps
            return True
        return len(argv) == command.arity if command.arity > 0 else len(argv) >= -command.arity

    def fitted(self, argv: Sequence[bytes]) -> list[bytes]:
        """The same command with as many words as it takes: some left out at the end, or the last one again.

        Redis can be asked about rights with no other number of words, and a hook may be given any.
        """
        command = self.find(argv)
        if command is None or self.arity_fits(argv):
            return list(argv)
        count = abs(command.arity)
        return [*argv[:count], *([argv[-1]] * (count - len(argv)))]

    def is_blocking(self, name: bytes) -> bool:
        """Whether a command of this name may make its client wait."""
        command = self._commands.get(name.lower())
        return command is not None and command.blocking

    def only_key(self, name: bytes) -> int | None:
        """Position of the only key of a writing command, if it has just one at a fixed place."""
        command = self._commands.get(name.lower())
        return command.single if command and command.writes and not command.subcommands else None

    def written_keys(self, argv: Sequence[bytes]) -> list[bytes]:
        """Keys that `argv` may change; of an unknown command its second word."""
        command = self.find(argv)
        if command is None:
            return list(argv[1:2])
        if not command.writes:
            return []
        if command.single is not None:
            return list(argv[command.single : command.single + 1])
        keys = [argv[i] for spec in command.specs if spec.writes for i in spec.positions(argv)]
        return keys + [argv[i + 1] for i in _stores(argv)] if command.incomplete else keys

    def keys(self, argv: Sequence[bytes]) -> list[bytes]:
        """All keys that `argv` names, read or written; of an unknown command its second word."""
        command = self.find(argv)
        if command is None:
            return list(argv[1:2])
        keys = [argv[i] for spec in command.specs for i in spec.positions(argv)]
        return keys + [argv[i + 1] for i in _stores(argv)] if command.incomplete else keys


def _command(entry: Sequence[Any]) -> Command:
    name, arity, flags, first, last, step = entry[:6]
    key_specs = entry[8] if len(entry) > 8 else []
    subcommands = [_command(sub) for sub in (entry[9] if len(entry) > 9 else [])]
    base = name.split(b"|")[0].lower()
    script = base in SCRIPTS
    words = {_word(flag) for flag in flags}
    writes = b"write" in words or script
    pairs = [_pairs(spec) for spec in key_specs]
    known = [spec for spec in pairs if _pairs(spec[b"begin_search"])[b"type"] != b"unknown"]
    specs = tuple(_key_spec(spec, writes) for spec in known)
    if not specs and first:
        specs = (
            KeySpec(
                index=first, keyword=b"", writes=writes, last=_relative(first, last), step=step
            ),
        )
    return Command(
        name=name.lower(),
        writes=writes,
        blocking=b"blocking" in words,
        outside_scripts=b"noscript" in words,
        movable_keys=b"movablekeys" in words,
        specs=specs,
        subcommands={sub.name.split(b"|")[-1]: sub for sub in subcommands},
        incomplete=len(known) < len(pairs),
        arity=arity,
        single=_single(specs) if len(known) == len(pairs) else None,
    )


def _stores(argv: Sequence[bytes]) -> list[int]:
    return [i for i in range(len(argv) - 1) if argv[i].lower() == b"store"]


def _single(specs: tuple[KeySpec, ...]) -> int | None:
    if len(specs) != 1:
        return None
    spec = specs[0]
    plain = not spec.keyword and spec.numkeys is None and spec.last == 0 and spec.writes
    return spec.index if plain else None


def _relative(first: int, last: int) -> int:
    """`COMMAND` counts the last key from the start of the command, key specifications from the first key."""
    return last if last < 0 else last - first


def _key_spec(spec: dict[bytes, Any], command_writes: bool) -> KeySpec:
    flags = {_word(flag) for flag in spec.get(b"flags", [])}
    access = flags & (_WRITING | {b"RO"})
    search = _pairs(spec[b"begin_search"])
    begin = _pairs(search[b"spec"])
    find = _pairs(spec[b"find_keys"])
    keys = _pairs(find[b"spec"])
    common: dict[str, Any] = {
        "index": begin.get(b"index", begin.get(b"startfrom", 1)),
        "keyword": begin.get(b"keyword", b"").lower(),
        "writes": bool(access & _WRITING) if access else command_writes,
    }
    if find[b"type"] == b"keynum":
        return KeySpec(
            **common, numkeys=keys[b"keynumidx"], first=keys[b"firstkey"], step=keys[b"keystep"]
        )
    return KeySpec(
        **common,
        last=keys.get(b"lastkey", 0),
        step=keys.get(b"keystep", 1),
        limit=keys.get(b"limit", 0),
    )


def _pairs(flat: Any) -> dict[bytes, Any]:
    """A map that RESP2 sends as a flat list."""
    if isinstance(flat, dict):
        return flat
    return {_word(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}


def _word(word: Any) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
