"""What a command on a captured key comes to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.documents import check_key, encode
from ..core.errors import NotCaptured
from ..core.names import Partitions
from .calls import Call

_SAME = frozenset({"PERSIST", "JSON.SET", "JSON.MERGE", "JSON.DEL", "JSON.TOGGLE", "JSON.CLEAR"})
_SAME |= {f"JSON.{verb}" for verb in ("NUMINCRBY", "NUMMULTBY", "STRAPPEND")}
_SAME |= {f"JSON.ARR{verb}" for verb in ("APPEND", "INSERT", "POP", "TRIM")}
_EXPIRY: Mapping[str, tuple[str, int]] = {
    "EXPIRE": ("PEXPIRE", 1000),
    "PEXPIRE": ("PEXPIRE", 1),
    "EXPIREAT": ("PEXPIREAT", 1000),
    "PEXPIREAT": ("PEXPIREAT", 1),
}
_TTL = {"TTL": 1000, "PTTL": 1}
_SCRIPTS = frozenset({"EVAL", "EVALSHA", "FCALL"})

Combine = Callable[[list[Any]], Any]


@dataclass(frozen=True)
class Plan:
    """Captured calls in place of a command, or a read in its place, and how replies become its own."""

    name: str
    calls: list[Call]
    combine: Combine
    read: Sequence[Any] = ()
    rest: Sequence[Any] = ()
    """The command for those of its keys that are not captured."""


@dataclass(frozen=True)
class CommandTable:
    """Which commands write, and where their keys are: what the server says of itself."""

    commands: Mapping[str, Mapping[str, Any]]

    def written_keys(self, words: Sequence[Any]) -> list[str]:
        """The keys that a command may write."""
        name = str(words[0]).upper()
        if name in _SCRIPTS:
            count = int(words[2]) if len(words) > 2 else 0
            return [_text(word) for word in words[3 : 3 + count]]
        info = self.commands.get(name.partition(" ")[0].lower())
        if info is None or not {"write", b"write"} & set(info["flags"]):
            return []
        first, last, step = info["first_key_pos"], info["last_key_pos"], info["step_count"]
        # Keys anywhere, as those of MIGRATE, or that of SORT behind STORE: any word may be one.
        if not first or {"movablekeys", b"movablekeys"} & set(info["flags"]):
            return [_text(word) for word in words[1:]]
        end = len(words) + last + 1 if last < 0 else last + 1
        return [_text(word) for word in words[first : end : step or 1]]


class Translator:
    """Turns commands on keys with given prefixes into captured calls."""

    def __init__(self, prefixes: Sequence[str], partitions: Partitions) -> None:
        self.prefixes = tuple(prefixes)
        self.partitions = partitions

    def captures(self, key: Any) -> bool:
        """Whether a key is ours."""
        return _text(key).startswith(self.prefixes)

    def plan(self, words: Sequence[Any], table: CommandTable) -> Plan | None:
        """What to do in place of a command; None: the command itself.

        Raises NotCaptured for a command that would change a captured key and cannot be captured.
        """
        words = [*str(words[0]).split(), *words[1:]]
        name = str(words[0]).upper()
        if name == "FCALL" and _text(words[1]).startswith("wb_"):
            return None
        if name in _TTL and self.captures(words[1]):
            return self._ttl(name, words)
        ours = [key for key in table.written_keys(words) if self.captures(key)]
        if not ours:
            return None
        return self._capture(name, words)

    def _capture(self, name: str, words: Sequence[Any]) -> Plan:
        key, rest = _text(words[1]), list(words[2:])
        if name in _SAME:
            return Plan(name, [self._call(name, key, _checked(name, rest))], _first)
        if name == "JSON.FORGET":
            return Plan(name, [self._call("JSON.DEL", key, rest)], _first)
        if name == "SET" and len(rest) == 1:  # which ends a time to live, and ours keeps
            calls = [self._call("SET", key, _checked(name, rest)), self._call("PERSIST", key, [])]
            return Plan(name, calls, _first)
        if name in _EXPIRY and len(rest) == 1:
            return Plan(name, [self._expire(name, key, int(rest[0]))], _first)
        if name == "JSON.MSET" and all(self.captures(key) for key in words[1::3]):
            triples = zip(words[1::3], words[2::3], words[3::3], strict=True)
            calls = [
                self._call("JSON.SET", _text(k), _checked("JSON.SET", [p, v]))
                for k, p, v in triples
            ]
            return Plan(name, calls, _first)
        if name in ("DEL", "UNLINK"):
            keys = [_text(word) for word in words[1:]]
            calls = [self._call("DEL", key, []) for key in keys if self.captures(key)]
            others = [key for key in keys if not self.captures(key)]
            return Plan(name, calls, sum, rest=[name, *others] if others else ())
        if name == "RENAME" and self.captures(key) and self.captures(rest[0]):
            new = _text(rest[0])
            check_key(new)
            call = self._call(name, key, [])
            call.other = (new, self.partitions.of(new))
            return Plan(name, [call], _first)
        shown = " ".join(_text(word)[:30] for word in words[:4])
        raise NotCaptured(
            f"{shown}: keys that begin with {' or '.join(self.prefixes)} are captured, and this command"
            " would change one without an entry in the queue"
        )

    def _call(self, command: str, key: str, arguments: Sequence[Any]) -> Call:
        check_key(key)
        return Call(key, self.partitions.of(key), command, arguments)

    def _expire(self, name: str, key: str, when: int) -> Call:
        command, unit = _EXPIRY[name]
        if when <= 0:  # Redis deletes at once; whether a time of day has come, its own clock tells
            return self._call("DEL", key, [])
        return self._call(command, key, [when * unit])

    def _ttl(self, name: str, words: Sequence[Any]) -> Plan:
        key, unit = _text(words[1]), _TTL[name]
        read = ("FCALL", "wb_ttl", 2, key, self.partitions.of(key).due)

        def combine(replies: list[Any]) -> int:
            milliseconds = int(replies[0])
            return milliseconds if milliseconds < 0 else -(-milliseconds // unit)

        return Plan(name, [], combine, read=read)


def _checked(name: str, rest: list[Any]) -> list[Any]:
    """Refuse a whole document that no database would take before anything is sent."""
    if name == "SET" or (name == "JSON.SET" and _text(rest[0]) in ("$", ".")):
        encode(_text(rest[name == "JSON.SET"]))
    return rest


def _first(replies: list[Any]) -> Any:
    return replies[0]


def _text(word: Any) -> str:
    """A word as redis-py sends it."""
    if isinstance(word, str):
        return str.__str__(word)  # of an Enum that is a str: its value
    if isinstance(word, (bytes, bytearray, memoryview)):
        return bytes(word).decode(errors="surrogateescape")
    return str(word)
