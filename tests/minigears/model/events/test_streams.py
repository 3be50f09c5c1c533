"""Generated streams beside the model: what of them has run, what is left, what is told of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from tests.minigears.model.events.playing import PART, parts, play
from tests.minigears.model.events.streams import ERRORS, Kept, Stream
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, client: redis.Redis, seed: int):
        self.client, self.rng = client, random.Random(seed)
        self.told = [f"seed {seed}"]
        self.streams = [self._made(Kept(number)) for number in range(3)]
        for stream in self.streams:
            for _ in range(self.rng.choice([0, 0, 1, 4])):  # what is there before it
                entry = (f"{len(self.told)}-0", self._value(stream))
                self.client.xadd(stream.name, {"f": entry[1]}, entry[0])
                self.told.append(f"{stream.name}: {entry} was there")
                stream.kept.add(*entry)
            self._register(stream)

    def step(self) -> None:
        """Do something, and compare."""
        place = self.rng.randrange(len(self.streams))
        stream = self.streams[place]
        doing = self.rng.random()
        if doing < 0.7:
            self._add(stream)
        elif doing < 0.77:
            self._call("RG.PAUSEREGISTRATIONS", self._id(stream))
            stream.pause()
        elif doing < 0.87:
            self._call("RG.UNPAUSEREGISTRATIONS", self._id(stream))
            stream.unpause()
        elif doing < 0.93:
            stream.kept.well = not stream.kept.well
            name = f"well:{stream.kept.number}"
            self._call(*(["SET", name, "1"] if stream.kept.well else ["DEL", name]))
        elif doing < 0.96:
            self._call("RG.CLEARREGISTRATIONSSTATS")
            for other in self.streams:
                other.clear()
        else:
            stream = self.streams[place] = self._made(stream.kept)
            self._register(stream)
        for other in self.streams:
            self._compare(other)

    def _made(self, kept: Kept) -> Stream:
        stream = Stream.made(self.rng, kept)
        if stream.policy == "retry" and any(v in ("bad", "pause") for _, v in kept.entries):
            stream.policy = "ABORT"  # it would go on for ever
        return stream

    def _value(self, stream: Stream) -> str:
        values = ["v"] * 8 + (["flaky"] * 2 if stream.policy == "retry" else ["bad", "pause"])
        return self.rng.choice(values)

    def _register(self, stream: Stream) -> None:
        self._call(
            "RG.PYEXECUTE", stream.source(), "ID", f"session-{stream.kept.number}", "UPGRADE"
        )
        stream.start()
        self._compare(stream)

    def _add(self, stream: Stream) -> None:
        value = self._value(stream)
        if value == "flaky" and not stream.kept.pending:
            stream.kept.fails = self.rng.randrange(4)
            self._call("SET", f"fails:{stream.kept.number}", str(stream.kept.fails))
        stream.add(self._call("XADD", stream.name, "*", "f", value), value)
        if stream.mode == "sync" and not stream.duration:
            found = self._shown(stream)
            assert found == stream.shown(), self._context(stream)

    def _call(self, *words: str) -> Any:
        self.told.append(" ".join(words))
        return self.client.execute_command(*words)

    def _id(self, stream: Stream) -> str:
        return next(
            row[1]
            for row in self.client.execute_command("RG.DUMPREGISTRATIONS")
            if stream.name in row[7][row[7].index("args") + 1]
        )

    def _compare(self, stream: Stream) -> None:
        expected = stream.shown()
        wait_for(lambda: self._shown(stream) == expected, 20, lambda: self._context(stream))

    def _context(self, stream: Stream) -> str:
        return "\n".join([*self.told, str(stream.shown()), str(self._shown(stream))])

    def _shown(self, stream: Stream) -> dict[str, Any]:
        """What can be seen of a stream and its registration."""
        rows = self.client.execute_command("RG.DUMPREGISTRATIONS")
        data = [dict(zip(row[7][::2], row[7][1::2], strict=True)) for row in rows]
        found = next(one for one in data if stream.name in one["args"])
        counts = ("numTriggered", "numSuccess", "numFailures", "numAborted", "status")
        told = {name: found[name] for name in counts}
        error = found["lastError"]
        there = self.client.exists(stream.name)
        groups = self.client.xinfo_groups(stream.name) if there else []
        return told | {
            "failed": next((part for part in ERRORS.values() if part in error), error)
            if error
            else None,
            "entries": [entry for entry, _ in self.client.xrange(stream.name)],
            "pending": sum(group["pending"] for group in groups),
            "log": self.client.lrange(f"log:{stream.kept.number}", 0, -1),
            "args": found["args"][1::2],
        }


def test_a_few_streams(gears: MiniGears):
    for seed in range(8):
        play(gears, seed, History, 30)


@pytest.mark.long
@pytest.mark.parametrize("first", parts(8, 400))
def test_many_streams(gears: MiniGears, first: int):
    for seed in range(first, first + PART):
        play(gears, seed, History, 30)
