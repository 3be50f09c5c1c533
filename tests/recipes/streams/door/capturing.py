"""What these tests know of the queue, and of RESP."""

from __future__ import annotations

from redis import Redis

from recipes.streams import Partitions

PARTITIONS = Partitions(2)


def waiting(redis: Redis) -> dict[str, str]:
    """The last entry of each document, by its key."""
    entries = [e for p in PARTITIONS.all() for e in redis.xrange(p.stream)]
    return {fields[b"key"].decode(): fields[b"doc"].decode() for _, fields in entries}


def one_reply(stream: object) -> bytes:
    line = stream.readline()  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=" and int(rest) >= 0:
        line += stream.read(int(rest) + 2)  # type: ignore[attr-defined]
    elif kind in b"*~>%" and int(rest) > 0:
        count = int(rest) * (2 if kind == b"%" else 1)
        line += b"".join(one_reply(stream) for _ in range(count))
    return bytes(line)
