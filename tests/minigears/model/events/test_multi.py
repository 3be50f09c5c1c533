"""Generated commands beside the model, one by one and between MULTI and EXEC: reply by reply."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from tests.minigears.model.events.multi import COMMANDS, SCRIPT, World
from tests.minigears.model.events.playing import PART, parts, play
from tests.minigears.realgears import MiniGears


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, client: redis.Redis, seed: int):
        self.client, self.rng = client, random.Random(seed)
        self.told = [f"seed {seed}"]
        self.world = World.made(self.rng)
        mode = self.rng.choice(["async", "async_local"])
        source = SCRIPT.format(mode=mode) + "".join(hook.source() for hook in self.world.hooks)
        self.told.append(source)
        client.execute_command("RG.PYEXECUTE", source)

    def step(self) -> None:
        """Do something, and compare."""
        if self.rng.random() < 0.4:
            words = self.rng.choice(COMMANDS)
            [said] = self._send([words])
            self._same(said, self.world.alone(words))
        else:
            commands = [self.rng.choice(COMMANDS) for _ in range(self.rng.randrange(1, 6))]
            said = self._send([["MULTI"], *commands, ["EXEC"]], self.rng.random() < 0.5)[-1]
            expected = self.world.together(commands)
            assert len(said) == len(expected), self._context(said, expected)
            for one, wanted in zip(said, expected, strict=True):
                self._same(one, wanted)
        for key, notes in (("log", self.world.log), ("seen", self.world.seen)):
            found = self._send([["LRANGE", key, "0", "-1"]])[0]
            by_key = lambda note: note.split()[0] if key == "seen" else ""  # noqa: B023, E731
            assert sorted(found, key=by_key) == sorted(notes, key=by_key), self._context(found)
        for key in ("h:1", "h:2", "k:1", "k:2", "k:3", "o:1", "o:2", "o:3", "n"):
            found = self._send([["GET", key]])[0]
            assert found == self.world.keys.get(key), self._context(key, found)

    def _send(self, commands: list[list[str]], pieces: bool = False) -> list[Any]:
        """The replies, on one connection, as it may be in one piece."""
        if len(commands) > 1 or not commands[0][0].endswith("GET"):
            self.told += [" ".join(words) for words in commands]
        connection = self.client.connection
        assert connection is not None
        replies = []
        if pieces:
            connection.send_packed_command(connection.pack_commands(commands))
        for words in commands:
            if not pieces:
                connection.send_command(*words)
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                replies.append(error)
        return replies

    def _same(self, said: Any, expected: Any) -> None:
        fits = said == expected
        if isinstance(said, redis.ResponseError):
            fits = isinstance(expected, str) and expected in str(said)
        assert fits, self._context(said, expected)

    def _context(self, *more: Any) -> str:
        return "\n".join([*self.told, *map(repr, more)])


def test_a_few_transactions(gears: MiniGears):
    for seed in range(10):
        play(gears, seed, History, 20)


@pytest.mark.long
@pytest.mark.parametrize("first", parts(10, 500))
def test_many_transactions(gears: MiniGears, first: int):
    for seed in range(first, first + PART):
        play(gears, seed, History, 20)
