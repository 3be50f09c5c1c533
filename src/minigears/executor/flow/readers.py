"""Readers of `run()`: each yields the records of one batch run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from minigears.executor.errors import GearsError, GearsFlatError
from minigears.executor.flow import records
from minigears.executor.flow.keysonly import GLOB, keys_only
from minigears.executor.flow.steps import Step
from minigears.executor.functions import is_function
from minigears.executor.redis.apart import Apart
from minigears.executor.redis.calls import Caller, plain, together
from minigears.executor.redis.connection import RedisError
from minigears.executor.streams.group import Entry
from minigears.executor.streams.records import to_record

_SCAN_COUNT = 1000
_STREAM_PAGE = 1000

Source = Callable[[Caller], Iterator[Any]]
"""Makes the records, reading over the given caller."""


def source(reader: str, arg: Any, options: Mapping[str, Any], steps: Sequence[Step] = ()) -> Source:
    """Check what `run` was given and return where its records come from; raises GearsError.

    Where the first step never looks at them, they are the names of keys: nobody can tell.
    """
    if reader not in _SOURCES:
        raise GearsError("Given reader do not support run or not exists")
    made = _SOURCES[reader](arg, options)
    mode = options.get("mode", "async")
    if not isinstance(mode, str):
        raise GearsError("execution mode must be a string")
    if mode not in ("async", "async_local"):
        raise GearsError("unknown execution mode")
    if reader == "KeysReader" and steps and steps[0].blind:
        return _names(_pattern(arg), options.get("noScan", False))
    return made


def _names(pattern: bytes, no_scan: bool) -> Source:
    """One key, there or not, with `no_scan`; else those that match."""

    def read(caller: Caller) -> Iterator[bytes]:
        return chain.from_iterable([[pattern]] if no_scan else _scan(caller, pattern))

    return read


def _keys(arg: Any, options: Mapping[str, Any]) -> Source:
    pattern = _pattern(arg)
    no_scan = _flag(options, "noScan", False, "exactMatch")
    read_value = _flag(options, "readValue", True, "readValue")

    def read(caller: Caller) -> Iterator[Any]:
        if no_scan and read_value:
            yield from _read_all(caller, [pattern], keep_missing=True)
        elif read_value:
            yield from _scan_and_read(caller, pattern)
        else:
            for key in _names(pattern, no_scan)(caller):
                yield records.bare_record(key, None)

    return read


def _stream(arg: Any, options: Mapping[str, Any]) -> Source:
    key = _pattern(arg)
    first = options.get("fromId", "0-0")
    if not isinstance(first, str):
        raise GearsError("fromId argument must be a string")

    def read(caller: Caller) -> Iterator[Any]:
        last, count = first.encode(), str(_STREAM_PAGE).encode()
        while True:
            found = _ask(caller, b"XREAD", b"COUNT", count, b"STREAMS", key, last)
            page = found[0][1] if found else []
            for entry_id, fields in page:
                yield to_record(key, Entry(entry_id, fields))
            if len(page) < _STREAM_PAGE:
                return
            last = page[-1][0]

    return read


def _python(arg: Any, options: Mapping[str, Any]) -> Source:
    if not is_function(arg):
        raise GearsError("pyreader argument must be a function")
    return lambda caller: iter(arg())


def _shards(arg: Any, options: Mapping[str, Any]) -> Source:
    return lambda caller: iter(["1"])


_SOURCES: dict[str, Callable[[Any, Mapping[str, Any]], Source]] = {
    "KeysReader": _keys,
    "KeysOnlyReader": keys_only,
    "StreamReader": _stream,
    "PythonReader": _python,
    "ShardsIDReader": _shards,
}


def _flag(options: Mapping[str, Any], name: str, default: bool, told: str) -> bool:
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise GearsError(f"{told} value is not boolean")
    return value


def _pattern(arg: Any) -> bytes:
    if not isinstance(arg, str):
        raise GearsError("regex argument must be a string")
    return arg.encode()


def _ask(caller: Caller, *words: bytes) -> Any:
    """Redis's reply; raises GearsFlatError if that is an error: it is told as Redis tells it."""
    return _good(caller.call(plain(words)))


def _good(reply: Any) -> Any:
    if isinstance(reply, RedisError):
        raise GearsFlatError(str(reply))
    return reply


def _existing(caller: Caller, key: bytes) -> Iterator[list[bytes]]:
    if _ask(caller, b"EXISTS", key):
        yield [key]


def _scan(caller: Caller, pattern: bytes) -> Iterator[list[bytes]]:
    """Pages of keys that match; a pattern without special characters is one key."""
    if not GLOB.intersection(pattern.decode()):
        yield from _existing(caller, pattern)
        return
    cursor, count = b"0", b"%d" % _SCAN_COUNT
    while True:
        cursor, keys = _ask(caller, b"SCAN", cursor, b"MATCH", pattern, b"COUNT", count)
        if keys:
            yield keys
        if cursor == b"0":
            return


def _scan_and_read(caller: Caller, pattern: bytes) -> Iterator[dict[str, Any]]:
    """Records of the keys that match; Redis looks up a page while functions have the one before it."""
    if not GLOB.intersection(pattern.decode()):
        for keys in _existing(caller, pattern):
            yield from _read_all(caller, keys)
        return
    scan = (b"MATCH", pattern, b"COUNT", b"%d" % _SCAN_COUNT)
    cursor, keys = _ask(caller, b"SCAN", b"0", *scan)
    if cursor == b"0":
        yield from _read_all(caller, keys)
        return
    page: list[dict[str, Any]] = []
    expected = ""
    with caller.apart() as apart:
        while True:
            last = cursor == b"0"
            next_page = [] if last else [(b"SCAN", cursor, *scan)]
            apart.send(together([*_lookups(keys, expected), *next_page], marked=False))
            yield from page
            replies = apart.receive()
            scanned = (cursor, []) if last else _good(replies.pop())
            page, expected = _records(apart, keys, expected, replies)
            cursor, keys = scanned
            if last:
                yield from page
                return


def _read_all(
    caller: Caller, keys: list[bytes], keep_missing: bool = False
) -> list[dict[str, Any]]:
    """Records of a page of keys in two round trips: types first, then values."""
    replies = caller.call(together(_lookups(keys, ""), marked=False)) if keys else []
    return _records(caller, keys, "", replies, keep_missing)[0]


def _lookups(keys: list[bytes], expected: str) -> list[tuple[bytes, ...]]:
    """What asks for values of the expected type, which says that they are of it; else for the keys' types."""
    ask = records.value_command(expected)
    return list(map(ask, keys)) if ask else [(b"TYPE", key) for key in keys]


def _records(
    caller: Caller | Apart,
    keys: list[bytes],
    expected: str,
    replies: list[Any],
    keep_missing: bool = False,
) -> tuple[list[dict[str, Any]], str]:
    """Records from the replies to `_lookups`, and the type to expect next.

    What was of another type than expected, empty or not there takes other trips.
    """
    kinds, values = [expected] * len(keys), replies
    if records.value_command(expected):
        unsure = [i for i, value in enumerate(values) if not value or type(value) is RedisError]
        asked = [(b"TYPE", keys[i]) for i in unsure]
        types = caller.call(together(asked, marked=False)) if asked else []
    else:
        unsure, types, values = list(range(len(keys))), replies, [None] * len(keys)
    for i, reply in zip(unsure, types, strict=True):
        kinds[i] = records.key_type(_good(reply))
    _read_values(caller, keys, [(i, kinds[i]) for i in unsure], values)
    found = [
        records.key_record(key, None, kind, records.to_value(kind, value))
        for key, kind, value in zip(keys, kinds, values, strict=True)
        if keep_missing or kind != "empty"
    ]
    usual = Counter(kinds).most_common(1)
    return found, usual[0][0] if usual else expected


def _read_values(
    caller: Caller | Apart, keys: list[bytes], kinds: list[tuple[int, str]], values: list[Any]
) -> None:
    """Put in the values of keys at these places, now that their types are known."""
    asked = [(i, ask(keys[i])) for i, kind in kinds if (ask := records.value_command(kind))]
    if asked:
        replies = caller.call(together([command for _, command in asked], marked=False))
        for (i, _), reply in zip(asked, replies, strict=True):
            values[i] = reply
