"""Generated scripts and options beside the model: what is answered, which sessions there are, what runs on."""

from __future__ import annotations

import queue
import random
from itertools import pairwise
from typing import Any

import hiredis
import pytest

from tests.minigears.executor.fakedoor import FakeDoor
from tests.minigears.model.flow.functions import Failed
from tests.minigears.model.sessions.scripts import NAMES, SESSIONS, Script, Scripts, Trigger
from tests.minigears.realredis import wait_for

OPTIONS = [
    *([["ID", name] for name in SESSIONS] * 5),
    *([["UPGRADE"]] * 6),
    *([["REPLACE_WITH", name] for name in SESSIONS] * 2),
    *(["DESCRIPTION", "what it is"], ["DESCRIPTION", ""], ["FORCE_REINSTALL_REQUIREMENTS"]),
    *(["UNBLOCKING"], ["ID", "not one"], ["NONSENSE"]),
]
LAST = [[]] * 12 + [["REQUIREMENTS"], ["ID"], ["DESCRIPTION"], ["REPLACE_WITH"]]


class History:
    """One history: what happens next is a matter of the seed."""

    def __init__(self, door: FakeDoor, seed: int):
        self.door, self.rng = door, random.Random(seed)
        self.told = [f"seed {seed}"]
        self.model = Scripts()
        for name in ("k1", "k2"):
            self.door.call("RG.CONFIGSET", name, "0")
            self.model.config[name] = "0"
        self.asked: list[tuple[Script, Trigger, queue.SimpleQueue[Any]]] = []
        """Clients whose triggers wait."""

    def call(self, *words: str) -> Any:
        """The reply to a command."""
        self.told.append(" ".join(words))
        return self.door.call(*words)

    def step(self) -> None:
        """Do something, and compare."""
        doing = self.rng.random()
        if doing < 0.4:
            self._execute()
        elif doing < 0.75:
            self._trigger(self.rng.choice(NAMES), self.rng.choice(["k1", "k2"]))
        elif doing < 0.85:
            name, value = self.rng.choice(["k1", "k2"]), str(self.rng.randrange(9))
            saved = [b"OK - value was saved in extra config dictionary"]
            self._same(self.call("RG.CONFIGSET", name, value), saved)
            self.model.config[name] = value
        elif doing < 0.95:
            self._unregister()
        else:
            self._open()
        self._compare()

    def restart(self) -> None:
        """Kill the executor, and start another one."""
        self._open()
        self.told.append("a restart")
        self.door.kill()
        self.door.start()
        self.model.restart()
        expected = len(self.model.registered)
        wait_for(lambda: len(self._list("registered")) >= expected, what=self._context)
        registered = self._list("registered")
        assert sorted(registered) == sorted(self.model.registered), self._context(registered)
        self.model.registered = registered  # sessions may come in any order
        self._compare()

    def end(self) -> None:
        """Let all end, and forget it."""
        self._open()
        self._compare()
        for registration in self.door.ids:
            self.door.call("RG.UNREGISTER", registration)
        self.door.script("execute('FLUSHALL')")

    def _execute(self) -> None:
        rng, script = self.rng, Script.made(self.rng)
        chosen = rng.sample(OPTIONS, rng.randrange(4))
        options = [word for option in chosen for word in option] + rng.choice(LAST)
        named = [value for word, value in pairwise(options) if word == "ID"]
        said = self.call("RG.PYEXECUTE", script.source(named[-1] if named else "none"), *options)
        try:
            session = self.model.execute(script, *options)
        except Failed as error:
            return self._same(said, error)
        self._same(said, b"OK")
        if session == "":  # it has a name of its own
            names = {row[1].decode() for row in self.door.call("RG.PYDUMPSESSIONS")}
            [made] = names - self.model.sessions.keys()
            self.model.sessions[made] = self.model.sessions.pop("")

    def _trigger(self, name: str, word: str) -> None:
        try:
            script, trigger = self.model.find(name)
            if trigger.body == "wait":
                return self._wait(script, trigger)
            expected: Any = script.call(trigger, word, self.model.config)
        except Failed as error:
            expected = error
        self._same(self.call("RG.TRIGGER", name, word), expected)

    def _wait(self, script: Script, trigger: Trigger) -> None:
        script.waiting.append(trigger)
        self.told.append(f"RG.TRIGGER {trigger.name} waits")
        begun = int(
            self.door.results("GB('ShardsIDReader').map(lambda x: execute('LLEN', 'begun')).run()")[
                0
            ]
        )
        self.asked.append((script, trigger, self.door.send("RG.TRIGGER", trigger.name, "w")))
        wait_for(lambda: self._list("begun") == ["w"] * (begun + 1), what=self._context)

    def _open(self) -> None:
        """All that wait end, in whatever order."""
        self.told.append("SET open 1")
        self.door.script("execute('SET', 'open', '1')")
        found = [(script, reply.get(timeout=30)) for script, _, reply in self.asked]
        for script in {id(script): script for script, _, _ in self.asked}.values():
            results = sorted(int(reply[0]) for owner, reply in found if owner is script)
            counts = list(range(script.first + 1, script.first + 1 + len(results)))
            assert results == counts, self._context()
            script.first += len(results)
            script.waiting = []
        self.asked, self.model.dead = [], []
        self.door.script("execute('DEL', 'open')")

    def _unregister(self) -> None:
        named = [(n, t) for n, s in self.model.sessions.items() for t in s.triggers]
        if not named:
            return
        name, trigger = self.rng.choice(named)
        rows = self.door.call("RG.DUMPREGISTRATIONS")
        id = next(r[1].decode() for r in rows if r[7][-1][1].decode() == trigger.name)
        self._same(self.call("RG.UNREGISTER", id), b"OK")
        script = self.model.sessions[name]
        script.triggers.remove(trigger)
        if not script.triggers:
            del self.model.sessions[name]
            if script.waiting:
                self.model.dead.append((name, script))

    def _same(self, said: Any, expected: Any) -> None:
        context = self._context(said, expected)
        if isinstance(expected, Failed):
            assert isinstance(said, hiredis.ReplyError), context
            assert expected.fits(str(said)), context
        elif isinstance(expected, list) and isinstance(said, list):
            encoded = [w.encode() if isinstance(w, str) else w for w in expected]
            assert said == encoded, context
        else:
            assert said == expected, context

    def _context(self, *more: Any) -> str:
        return "\n".join([*self.told, *map(repr, more)])

    def _list(self, key: str) -> list[str]:
        script = f"GB('PythonReader').flatmap(lambda x: execute('LRANGE', '{key}', 0, -1)[::-1])"
        found = self.door.results(f"def one(): yield 1\n{script}.run(one)")
        return [word.decode() for word in found]

    def _compare(self) -> None:
        rows = self.door.call("RG.PYDUMPSESSIONS")
        found = []
        for row in rows:
            session = dict(zip([w.decode() for w in row[::2]], row[1::2], strict=True))
            text = {k: v.decode() if isinstance(v, bytes) else v for k, v in session.items()}
            assert text.pop("requirements") == []
            text["registrations"] = len(text["registrations"])
            found.append(text)
        expected = self.model.shown()
        found.sort(key=lambda session: session["ID"])
        assert found == expected, self._context(found, expected)
        dead = sorted(row[1].decode() for row in self.door.call("RG.PYDUMPSESSIONS", "DEAD"))
        gone = sorted(name for name, _ in self.model.dead if name not in self.model.sessions)
        assert set(gone) <= set(dead), self._context(dead, gone)
        assert set(dead) <= {name for name, _ in self.model.dead}, self._context(dead, gone)
        assert self._list("registered") == self.model.registered, self._context()


def run(door: FakeDoor, seed: int, steps: int = 25, restarts: int = 0) -> None:
    history = History(door, seed)
    for _ in range(steps):
        history.step()
    for _ in range(restarts):
        history.restart()
        for _ in range(steps):
            history.step()
    history.end()


def test_a_few_scripts(executor: FakeDoor):
    for seed in range(10):
        run(executor, seed)


def test_a_few_restarts(executor: FakeDoor):
    for seed in range(2):
        run(executor, seed, restarts=1)


@pytest.mark.long
def test_many_scripts(executor: FakeDoor):
    for seed in range(10, 500):
        run(executor, seed)


@pytest.mark.long
def test_many_restarts(executor: FakeDoor):
    for seed in range(2, 40):
        run(executor, seed, restarts=2)
