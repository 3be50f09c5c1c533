"""Generated histories of registrations, sessions and commands, beside the model: reply by reply, and what is left."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from tests.minigears.model.events.commands import Command
from tests.minigears.model.events.playing import PART, parts, play
from tests.minigears.model.events.registrations import Registration, World
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

SESSIONS = ["s1", "s2", "s3"]
KEYS = ["a:1", "a:2", "b:1", "c:1"]
COMMANDS = ["SET", "SET", "HSET", "RPUSH", "DEL", "APPEND"]


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, client: redis.Redis, seed: int):
        self.client, self.rng = client, random.Random(seed)
        client.response_callbacks.pop("SET")  # redis-py makes a boolean of its reply
        self.told = [f"seed {seed}"]
        self._raced = False
        self._numbers = iter(range(1, 1000))
        self.call("RG.PYEXECUTE", "GB('CommandReader').register(trigger='t')")
        probe = client.execute_command("RG.DUMPREGISTRATIONS")[0][1]
        self.call("RG.UNREGISTER", probe)
        self.world = World(int(probe.rpartition("-")[2]) + 2)

    def call(self, *words: str) -> Any:
        """The reply to a command, an error as text, once all that it has begun is done."""
        self.told.append(" ".join(words))
        try:
            reply = self.client.execute_command(*words)
        except redis.ResponseError as error:
            reply = str(error)
        outstanding = "minigears_events_outstanding"
        wait_for(lambda: self.client.info("minigears")[outstanding] == 0, what="functions")
        return reply

    def step(self) -> None:
        """Do something, and compare."""
        doing = self.rng.random()
        if doing < 0.2:
            self._script()
        elif doing < 0.3:
            ids = [r.id for r in self.world.registrations] + [f"{'0' * 40}-1"]
            chosen = self.rng.choice(ids)
            self._same(self.call("RG.UNREGISTER", chosen), self.world.unregister(chosen))
        elif doing < 0.5:
            words = [self.rng.choice(["t1", "t2", "t3"]), "b", "c"]
            self._same(self.call("RG.TRIGGER", *words), self.world.trigger(*words))
        else:
            name, key = self.rng.choice(COMMANDS), self.rng.choice(KEYS)
            words = ["f1", "v"] if name == "HSET" else [] if name == "DEL" else ["v"]
            said = self.call(name, key, *words)
            world = self.world
            expected = (
                world.append(key, *words) if name == "APPEND" else world.command(name, key, *words)
            )
            self._same(said, expected)
        self._compare()

    def _script(self) -> None:
        rng, session = self.rng, self.rng.choice(SESSIONS)
        kinds = rng.choices([Registration, Command], [0.65, 0.35], k=rng.randrange(4))
        made = [kind.made(rng, next(self._numbers)) for kind in kinds]
        fails = rng.random() < 0.1
        options = rng.choice([(), ("UPGRADE",), ("REPLACE_WITH", rng.choice(SESSIONS))])
        source = "".join(r.source() for r in made) + ("1 / 0" if fails else "")
        said = self.call("RG.PYEXECUTE", source, "ID", session, *options)
        self._same(said, self.world.script(session, made, fails, *options))

    def _same(self, said: Any, expected: Any) -> None:
        fits = said == expected or (isinstance(said, str) and str(expected) in said)
        assert fits, "\n".join([*self.told, repr(said), repr(expected)])

    def _compare(self) -> None:
        shown = self.client.execute_command("RG.DUMPREGISTRATIONS")
        world = {r.id: r.data() for r in self.world.registrations}
        assert [row[1] for row in shown] == list(world), "\n".join(self.told)
        for row in shown:
            data = dict(zip(row[7][::2], row[7][1::2], strict=True))
            expected = dict(world[row[1]])
            failed = expected.pop("failed")
            assert (
                data["lastError"] is None if failed is None else failed in str(data["lastError"])
            ), "\n".join([*self.told, str(data["lastError"])])
            found = {"desc": row[5], **{name: data[name] for name in expected if name != "desc"}}
            found["args"] = data["args"][1::2]
            assert found == expected, "\n".join(self.told)
        sessions = self.client.execute_command("RG.PYDUMPSESSIONS")
        assert {s[1]: sorted(s[15]) for s in sessions} == {
            name: sorted(r.id for r in made) for name, made in self.world.sessions.items()
        }, "\n".join(self.told)
        self._raced |= self.world.races
        assert self._told(self._keys()) == self._told(self.world.keys), "\n".join(self.told)

    def _told(self, keys: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
        """The same; where functions have raced, logs by key: events of one key keep their order."""
        if not self._raced:
            return keys
        return {
            key: (kind, sorted(value, key=lambda line: line.split()[0]))
            if key.startswith("log:")
            else (kind, value)
            for key, (kind, value) in keys.items()
        }

    def _keys(self) -> dict[str, tuple[str, Any]]:
        read = {
            "string": self.client.get,
            "hash": self.client.hgetall,
            "list": lambda key: self.client.lrange(key, 0, -1),
        }
        kinds = {key: self.client.type(key) for key in self.client.scan_iter()}
        return {key: (kind, read[kind](key)) for key, kind in kinds.items()}


def test_a_few_histories(gears: MiniGears):
    for seed in range(8):
        play(gears, seed, History, 25)


@pytest.mark.long
@pytest.mark.parametrize("first", parts(8, 400))
def test_many_histories(gears: MiniGears, first: int):
    for seed in range(first, first + PART):
        play(gears, seed, History, 25)
