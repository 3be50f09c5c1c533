"""Every write command that a Redis has, with words that it takes.

Nothing here remembers which commands there are: `COMMAND` lists them, and `COMMAND DOCS` says which words they take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import redis

Words = list[Any]

KEY = "\0key"
"""The place of a key."""
WORDS = {"ttl": "0", "unix-time": "9999999999", "destination-db": "1", "db": "1"}
"""By an argument's name or type; all others are `1`."""
WHOLE_SERVER = {"flushall", "flushdb", "swapdb", "migrate", "restore-asking"}
"""They act on no key, or on another server. FLUSHALL, FLUSHDB and SWAPDB raise no event: reconcile finds those."""
BASE = {"flag": True, "n": 2, "list": [1, 2, 3], "title": "a"}

SOURCES: dict[str, tuple[Any, ...]] = {
    "string": ("SET", "source:string", "1"),
    "list": ("RPUSH", "source:list", "1"),
    "set": ("SADD", "source:set", "1"),
    "sorted": ("ZADD", "source:sorted", "1", "1"),
    "hash": ("HSET", "source:hash", "1", "1"),
    "places": ("GEOADD", "source:places", "1", "1", "1"),
    "log": ("PFADD", "source:log", "1"),
    "movie": ("JSON.SET", "source:movie", "$", json.dumps(BASE)),
    "nothing": ("DEL", "source:nothing"),
}


def pairs(flat: Any) -> dict[str, Any]:
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


def alternatives(argument: Any) -> list[Words]:
    """Ways to say one argument, the shortest first."""
    argument = pairs(argument)
    kind = argument["type"]
    token = [argument["token"]] if argument.get("token") else []
    if kind == "pure-token":
        return [token]
    if kind == "oneof":
        inner = [way for one in argument["arguments"] for way in alternatives(one)]
    elif kind == "block":
        inner = list(sentences(argument["arguments"]))
    elif kind == "key":
        inner = [[KEY]]
    else:
        inner = [[WORDS.get(argument["name"], WORDS.get(kind, "1"))]]
    return [token + way for way in inner]


def sentences(arguments: Any) -> Iterator[Words]:
    """The shortest form of a list of arguments, then each with one more or another choice."""
    ways = [alternatives(one) for one in arguments]
    needed = ["optional" not in pairs(one).get("flags", []) for one in arguments]
    shortest = [way[0] if need else [] for way, need in zip(ways, needed, strict=True)]
    yield [word for part in shortest for word in part]
    for place, way in enumerate(ways):
        for choice in way[1:] if needed[place] else way:
            parts = [*shortest[:place], choice, *shortest[place + 1 :]]
            yield [word for part in parts for word in part]


def placed(words: Words, source: str) -> Iterator[Words]:
    """The movie's key at each place for a key, and at all of them; the source at the others."""
    places = [number for number, word in enumerate(words) if word == KEY]
    for chosen in [{place} for place in places] + ([set(places)] if len(places) > 1 else []):
        yield [
            word if word != KEY else KEY if number in chosen else f"source:{source}"
            for number, word in enumerate(words)
        ]


def write_commands(client: redis.Redis) -> list[str]:
    """Names of all that write, without those that wait: these do with lists what others do, too."""
    listed = client.execute_command("COMMAND").values()
    return sorted(
        one["name"]
        for one in listed
        if "write" in one["flags"]
        and "blocking" not in one["flags"]
        and one["first_key_pos"]
        and one["name"] not in WHOLE_SERVER
    )


def cases(client: redis.Redis) -> list[tuple[str, Words]]:
    """(type of the source, words) for each command, choice, place and source."""
    found = []
    for name in write_commands(client):
        docs = pairs(client.execute_command("COMMAND DOCS", name)).get(name)
        if not docs:  # RedisJSON's: below
            continue
        for words in sentences(pairs(docs).get("arguments", [])):
            several = words.count(KEY) > 1
            for source in SOURCES if several else ["nothing"]:
                found += [(source, [name, *one]) for one in placed(words, source)]
    return found
