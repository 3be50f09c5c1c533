"""The record of a key, as functions see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigears.executor.redis.calls import Caller, together
from minigears.executor.redis.connection import RedisError
from minigears.executor.replies import to_text

_KNOWN = {b"string", b"list", b"hash", b"set", b"zset"}
_OF_STREAMS = "unknown"
"""The type of a stream in its record; `keyTypes` calls it `stream`."""

ValueCommand = Callable[[bytes], tuple[bytes, ...]]

_VALUE_COMMANDS: dict[str, ValueCommand] = {
    "string": lambda key: (b"GET", key),
    "hash": lambda key: (b"HGETALL", key),
    "list": lambda key: (b"LRANGE", key, b"0", b"-1"),
}


def value_command(kind: str) -> ValueCommand | None:
    """What reads the value of a key of this type; None where RedisGears gives none."""
    return _VALUE_COMMANDS.get(kind)


def key_type(reply: Any) -> str:
    """What RedisGears calls the type that `TYPE` names."""
    if reply in _KNOWN:
        return str(reply.decode())
    return {b"none": "empty", b"stream": _OF_STREAMS}.get(reply, "module")


def is_of_type(record: dict[str, Any], wanted: Sequence[str] | None) -> bool:
    """Whether the key's type is one of these, as `keyTypes` names them; None: whatever it is."""
    if wanted is None:
        return True
    kind = record["type"]
    return ("stream" if kind == _OF_STREAMS else kind) in wanted


def key_record(key: bytes, event: str | None, kind: str, value: Any) -> dict[str, Any]:
    """The record of a key; its fields are in alphabetical order, as RedisGears prints them."""
    return {"event": event, "key": to_text(key), "type": kind, "value": value}


def bare_record(key: bytes, event: str | None) -> dict[str, Any]:
    """The record of a key whose value was not asked for."""
    return {"event": event, "key": to_text(key)}


def read_key(
    caller: Caller,
    key: bytes,
    event: str | None,
    expected: str | None,
    marked: bool,
    reads: Sequence[tuple[bytes, ...]] = (),
) -> tuple[dict[str, Any], list[Any]]:
    """Read a key's record, and the replies to `reads` in the same trip to Redis.

    A second trip is made when the key's type is not the expected one. `marked` hides the reads
    from those who listen to key misses. Raises RedisError.
    """
    ask_value = _VALUE_COMMANDS.get(expected or "")
    asked = [(b"TYPE", key), *([ask_value(key)] if ask_value else [])]
    replies = caller.call(together([*asked, *reads], marked))
    if isinstance(replies[0], RedisError):
        raise replies[0]
    more = replies[len(asked) :]
    kind = key_type(replies[0])
    ask_value = _VALUE_COMMANDS.get(kind)
    if ask_value is None:
        return key_record(key, event, kind, None), more
    if kind != expected:
        replies = caller.call(together([(b"TYPE", key), ask_value(key)], marked))
    return key_record(key, event, kind, to_value(kind, replies[1])), more


def to_value(kind: str, reply: Any) -> Any:
    """The value of a string, hash or list; None when it went away or changed its type meanwhile."""
    if reply is None or isinstance(reply, RedisError):
        return None
    if kind == "hash":
        return _reversed_pairs(reply)
    if kind == "list":
        return [to_text(item) for item in reply]
    return to_text(reply)


def _reversed_pairs(flat: Sequence[bytes]) -> dict[Any, Any]:
    """Fields and values as a dict that iterates from the last field to the first.

    RedisGears's records do not iterate in the order of insertion either, and rgsync needs the
    fields that it adds last to come first.
    """
    return {_field(flat[i]): to_text(flat[i + 1]) for i in range(len(flat) - 2, -1, -2)}


def _field(name: bytes) -> str | bytes:
    text = to_text(name)
    return text if isinstance(text, str) else bytes(text)
