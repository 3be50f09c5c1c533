"""The function library in Redis: load it, and check what everybody must agree on."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import ResponseError

from .errors import Misconfigured
from .names import Partitions

SOURCE = (Path(__file__).parent / "writebehind.lua").read_text(encoding="utf-8")


def _version() -> int:
    found = re.search(r"local VERSION, OLDEST = (\d+)", SOURCE)
    assert found is not None
    return int(found[1])


VERSION = _version()

NEWER_COMMANDS = ("XACKDEL",)


class RedisClient(Protocol):
    """What is used of a redis-py client, be it of one Redis or of a cluster."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command."""

    def pipeline(self, transaction: Any = ...) -> Any:
        """Begin a pipeline."""

    def scan_iter(self, match: Any = ..., count: Any = ...) -> Any:
        """Iterate over keys, on every master."""


def everywhere(redis: Any) -> list[dict[str, Any]]:
    """The options that send a command to each master: one Redis has one."""
    if not hasattr(redis, "get_primaries"):
        return [{}]
    return [{"target_nodes": node} for node in redis.get_primaries()]


def call(redis: Any, *words: Any, key: str = "", through: Any = None, **options: Any) -> Any:
    """Send a command to the master of its key, that of an FCALL if none is given. Returns its reply.

    Of a command whose keys may stand anywhere, as FCALL's, redis-py asks its default node which words
    they are: a round trip more, and an error while that one node is away, whichever master is meant.
    `through` is a pipeline of the same client.
    """
    if find := getattr(redis, "get_node_from_key", None):
        options["target_nodes"] = find(key or words[3])
    return (redis if through is None else through).execute_command(*words, **options)


def check_encoding(redis: Any) -> None:
    """Raise Misconfigured for a client whose texts are not UTF-8: databases would refuse what it writes."""
    pool = getattr(redis, "connection_pool", None) or getattr(redis, "nodes_manager", None)
    encoding = getattr(pool, "connection_kwargs", {}).get("encoding") or "utf-8"
    if codecs.lookup(encoding).name != "utf-8":
        raise Misconfigured(f"the Redis client has encoding={encoding!r}, and documents are UTF-8")


def must_load(reply: Any) -> bool:
    """Whether the library is to be loaded, from the reply to `FCALL wb_version 0`, or its error."""
    if isinstance(reply, ResponseError):
        if "unknown command" in str(reply).lower():
            raise Misconfigured(
                "this server has no functions: Redis 7.0 or newer, or Valkey"
            ) from reply
        return not is_there(reply)
    return int(reply) < VERSION


def check_policy(reply: Any) -> None:
    """Raise Misconfigured where Redis may evict any key, as it could evict the queue."""
    policy = reply.decode() if isinstance(reply, bytes) else str(reply)
    if policy.startswith("allkeys"):
        raise Misconfigured(
            f"Redis may evict any key when it is full (maxmemory-policy {policy}), the queue among them:"
            " set noeviction, or one that begins with volatile"
        )


def is_there(error: ResponseError) -> bool:
    """False for the error of a library that is gone; raises any other."""
    if "Function not found" in str(error):
        return False
    raise error


def agree(stored: Any, partitions: Partitions) -> None:
    """Check the number of partitions that is stored in Redis against ours.

    Raises Misconfigured, with both numbers, if they differ.
    """
    if int(stored) != partitions.count:
        raise Misconfigured(
            f"Redis holds {int(stored)} partitions under {partitions.namespace!r}, and this process is"
            f" set to {partitions.count}: set both alike (changing the number needs a drained queue)"
        )


def features(reply: Any, names: tuple[str, ...] = NEWER_COMMANDS) -> frozenset[str]:
    """Which of the commands the server has, from its reply to COMMAND INFO."""
    values = reply.values() if isinstance(reply, dict) else reply
    known = set()
    for info in values:
        if info:
            name = info["name"] if isinstance(info, dict) else info[0]
            known.add((name.decode() if isinstance(name, bytes) else name).upper())
    return frozenset(name for name in names if name in known)
