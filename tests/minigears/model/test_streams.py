"""Generated streams beside the model: what of them has run, what is left, what is told of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from tests.minigears.model.streams import Stream
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for


def shown(client: redis.Redis, stream: Stream, registration: str) -> dict[str, Any]:
    """What can be seen of a stream and its registration."""
    rows = client.execute_command("RG.DUMPREGISTRATIONS")
    data = next(row[7] for row in rows if row[1] == registration)
    found = dict(zip(data[::2], data[1::2], strict=True))
    told = {name: found[name] for name in ("numTriggered", "numSuccess", "numFailures", "status")}
    error = found["lastError"]
    groups = client.xinfo_groups(stream.name) if client.exists(stream.name) else []
    pending = sum(group["pending"] for group in groups)
    return told | {
        "failed": next(
            (part for part in ("ZeroDivisionError", "PAUSE for now") if part in error), error
        )
        if error
        else None,
        "entries": [entry for entry, _ in client.xrange(stream.name)],
        "pending": pending,
        "log": client.lrange(f"log:{stream.number}", 0, -1),
        "args": found["args"][1::2],
    }


def run(gears: MiniGears, seed: int, steps: int = 40) -> None:
    """A few streams, and entries for them."""
    rng = random.Random(seed)
    streams = [Stream.made(rng, number) for number in range(3)]
    told = [f"seed {seed}"]
    with gears.client() as client:
        for stream in streams:
            client.execute_command("RG.PYEXECUTE", stream.source())
            told.append(stream.source())
        ids = [row[1] for row in client.execute_command("RG.DUMPREGISTRATIONS")]
        for step in range(1, steps):
            stream, value = rng.choice(streams), rng.choice(["v"] * 8 + ["bad", "pause"])
            told.append(f"XADD {stream.name} {step}-0 f {value}")
            client.xadd(stream.name, {"f": value}, f"{step}-0")
            stream.add(f"{step}-0", value)
            registration = ids[streams.index(stream)]
            if stream.mode == "sync":
                found = shown(client, stream, registration)
                assert found == stream.shown(), "\n".join([*told, str(stream.shown()), str(found)])
        for stream, registration in zip(streams, ids, strict=True):
            expected = stream.shown()
            wait_for(
                lambda s=stream, r=registration, e=expected: shown(client, s, r) == e,
                20,
                lambda s=stream, r=registration, e=expected: "\n".join(
                    [*told, str(e), str(shown(client, s, r))]
                ),
            )
        for registration in ids:
            client.execute_command("RG.UNREGISTER", registration)
        client.flushall()


def test_a_few_streams(gears: MiniGears):
    for seed in range(10):
        run(gears, seed)


@pytest.mark.long
def test_many_streams(gears: MiniGears):
    for seed in range(10, 500):
        run(gears, seed)
