"""The KeysOnlyReader: names of keys. In RedisGears it is Python, too, so its errors have a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minigears.executor.redis.calls import Caller, plain, to_value

_COUNT = 1000
_OPTIONS = ("count", "noScan", "patternGenerator")
GLOB = frozenset("*?[\\")
"""What makes more of a key than its name."""


def keys_only(arg: Any, options: Mapping[str, Any]) -> Callable[[Caller], Iterator[Any]]:
    """The reader; raises TypeError for an option that there is not."""
    if unknown := next((name for name in options if name not in _OPTIONS), None):
        raise TypeError(f"createKeysOnlyReader() got an unexpected keyword argument {unknown!r}")
    generator = options.get("patternGenerator")

    def read(caller: Caller) -> Iterator[Any]:
        pattern, one = arg, options.get("noScan", False)
        if generator is not None:  # a pattern for this shard, and whether it is just one key
            pattern, one = generator()
        name = str(pattern).encode()
        if one or not (GLOB.intersection(str(pattern)) or "count" in options):
            if _execute(caller, b"EXISTS", name):
                yield to_value(name)
            return
        cursor, count = "0", str(options.get("count", _COUNT)).encode()
        while True:
            cursor, keys = _execute(
                caller, b"SCAN", cursor.encode(), b"MATCH", name, b"COUNT", count
            )
            yield from keys
            if cursor == "0":
                return

    return read


def _execute(caller: Caller, *words: bytes) -> Any:
    return to_value(caller.call(plain(words)))
