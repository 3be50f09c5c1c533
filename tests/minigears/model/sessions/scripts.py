"""RG.PYEXECUTE with its options, what a script leaves behind, and the sessions, as the specification has them.

Where RedisGears's documentation is silent, this is what holds:

* What is wrong with the options is told before the script runs: the first wrong word, then the session's name.
* A script that fails, or one of whose functions cannot be stored, leaves nothing behind but what it did to Redis.
* What a script does to its globals after `register` is seen by its functions, and so is what they do themselves.
* What `onRegistered` raises is logged, and changes nothing. It runs in the order of the registrations, before
  RG.PYEXECUTE answers, and not if the script fails.
* A trigger that a function registers is of that function's session, though this one may have been replaced.
* After a restart the functions are as they were registered: all of a script find one dictionary again, with what they
  name in it. `onRegistered` runs anew.
* UPGRADE and REPLACE_WITH let the runs of the old session end. (RedisGears aborts those that wait.)
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.flow.functions import Failed

NAMES = ["a", "b", "c"]
SESSIONS = ["s1", "s2"]
BAD_ID = "ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']"
HEAD = """
import asyncio, threading
count, lock = [{first}], threading.Lock()
def bump(x):
    count[0] += 1
    return count[0]
async def wait(x):
    execute('RPUSH', 'begun', x[1])
    while not execute('EXISTS', 'open'): await asyncio.sleep(0.002)
    return bump(x)
def on_registered(): execute('RPUSH', 'registered', '{session}')
def on_registered_raise():
    on_registered()
    raise ValueError('logged')
async def on_registered_later(): on_registered()
"""
BODIES = {
    "bump": "map(bump)",
    "config": "map(lambda x: gearsConfigGet(x[1], 'none'))",
    "globals": "map(lambda x: sorted(n for n in ('late', 'count') if n in globals()))",
    "wait": "map(wait)",
    "lock": "map(lambda x: lock)",
    "raise": "map(lambda x: 1 // 0)",
}
ON_REGISTERED = {
    "nothing": "None",
    "note": "on_registered",
    "raise": "on_registered_raise",
    "later": "on_registered_later",
}


@dataclass
class Trigger:
    """One that a script registers."""

    name: str
    body: str
    mode: str
    on_registered: str

    @classmethod
    def made(cls, rng: random.Random) -> Trigger:
        """Any one."""
        bodies = [*BODIES, "bump", "bump", "globals", "wait"]
        body = rng.choice(bodies)
        mode = rng.choice(["sync", "async", "async_local"])
        return cls(rng.choice(NAMES), body, mode, rng.choice(list(ON_REGISTERED)))

    def source(self) -> str:
        """What registers it."""
        given = f"trigger={self.name!r}, mode={self.mode!r}"
        given += f", onRegistered={ON_REGISTERED[self.on_registered]}"
        return f"GB('CommandReader').{BODIES[self.body]}.register({given})\n"


@dataclass
class Script:
    """A script, and what becomes its session."""

    triggers: list[Trigger]
    first: int
    end: str
    description: str | None = None
    forced: bool = False
    waiting: list[Trigger] = field(default_factory=list)
    """Whose runs wait."""
    initial: int = 0
    """Where it begins to count, as its functions are stored."""
    globals: list[str] = field(default_factory=lambda: ["count", "late"])
    """Those of them that its functions find."""
    noted: str = ""
    """What its `onRegistered` notes."""

    @classmethod
    def made(cls, rng: random.Random) -> Script:
        """Any one."""
        triggers = [Trigger.made(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
        end = rng.choice(["late = 1"] * 6 + ["1 / 0", "raise SystemExit", "def"])
        first = rng.randrange(100)
        return cls(triggers, first, end, initial=first)

    def source(self, session: str) -> str:
        """As it is sent."""
        head = HEAD.format(first=self.first, session=session)
        return head + "".join(trigger.source() for trigger in self.triggers) + self.end

    def call(self, trigger: Trigger, word: str, config: dict[str, str]) -> list[str]:
        """RG.TRIGGER: its results; raises Failed."""
        if trigger.body == "raise":
            raise Failed("ZeroDivisionError")
        if trigger.body in ("bump", "wait"):
            self.first += 1
            return [str(self.first)]
        if trigger.body == "config":
            return [config.get(word, "none")]
        return [str(self.globals)]

    def references(self) -> int:
        """Its registrations, and those that are gone while a run of theirs waits."""
        return len({id(trigger) for trigger in [*self.triggers, *self.waiting]})

    def restart(self) -> None:
        """Its functions are as they were stored."""
        self.first = self.initial
        named = any(one.body in ("bump", "wait") for one in self.triggers)
        self.globals = ["count"] if named else []


@dataclass
class Scripts:
    """All sessions, and the users' configuration."""

    sessions: dict[str, Script] = field(default_factory=dict)
    dead: list[tuple[str, Script]] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    registered: list[str] = field(default_factory=list)
    """What `onRegistered` has noted."""

    def execute(self, script: Script, *options: str) -> str | None:
        """RG.PYEXECUTE: the session's name, None if there is none after it; raises Failed."""
        session, replaced, upgrade = self._options(script, options)
        old = self.sessions.get(session) if session else None
        if replaced and old:
            raise Failed(f"Can not replace an existing session {session} with {replaced}")
        if replaced and replaced not in self.sessions:
            raise Failed(f"Can not replace with {replaced}, session does not exists.")
        if old and not upgrade:
            raise Failed(f"Session {session} already exists")
        leaving = replaced or (session if old else None)
        self._run(script, leaving)
        if not script.triggers:
            return None
        if leaving:
            self._replace(leaving)
        session = session or ""
        self.sessions[session] = script
        script.noted = session or "none"
        self._note(script)
        return session

    def _note(self, script: Script) -> None:
        notes = [t for t in script.triggers if t.on_registered in ("note", "raise")]
        self.registered += [script.noted] * len(notes)

    def restart(self) -> None:
        """The process ends, and another one begins; nothing waits."""
        for script in self.sessions.values():
            script.restart()
            self._note(script)

    @staticmethod
    def _options(script: Script, options: tuple[str, ...]) -> tuple[str | None, str | None, bool]:
        session = replaced = None
        upgrade, rest = False, list(options)
        while rest:
            word = rest.pop(0)
            if word in ("ID", "DESCRIPTION", "REPLACE_WITH") and not rest:
                raise Failed(f"{word} is missing")
            if word == "ID":
                session = rest.pop(0)
                if " " in session:
                    raise Failed(BAD_ID)
            elif word == "DESCRIPTION":
                script.description = rest.pop(0)
            elif word == "REPLACE_WITH":
                replaced = rest.pop(0)
            elif word == "UPGRADE":
                upgrade = True
            elif word == "FORCE_REINSTALL_REQUIREMENTS":
                script.forced = True
            elif word == "REQUIREMENTS":
                break
            elif word != "UNBLOCKING":
                raise Failed(f"Unknown arguments were given: {word}")
        return session, replaced, upgrade

    def _run(self, script: Script, leaving: str | None) -> None:
        if script.end == "def":
            raise Failed("SyntaxError")
        taken = {t.name for name, s in self.sessions.items() if name != leaving for t in s.triggers}
        mine: set[str] = set()
        for trigger in script.triggers:
            if trigger.name in mine:
                raise Failed("trigger already registered in this session")
            if trigger.name in taken:
                raise Failed("trigger already registered")
            if trigger.body == "lock":
                raise Failed("Error occured when serialized a python callback, callback=<lambda>")
            mine.add(trigger.name)
        if script.end != "late = 1":
            raise Failed("ZeroDivisionError" if script.end == "1 / 0" else "SystemExit")

    def _replace(self, name: str) -> None:
        script = self.sessions.pop(name)
        if script.waiting:
            self.dead.append((name, script))

    def find(self, name: str) -> tuple[Script, Trigger]:
        """Who answers RG.TRIGGER; raises Failed."""
        for script in self.sessions.values():
            for trigger in script.triggers:
                if trigger.name == name:
                    return script, trigger
        raise Failed("subcommand not found")

    def shown(self) -> list[dict[str, Any]]:
        """RG.PYDUMPSESSIONS, without ids of registrations, sorted."""
        shown = [
            {
                "ID": name,
                "sessionDescription": script.description,
                "refCount": script.references(),
                "linked": "primary",
                "dead": "false",
                "requirementInstallationNeeded": int(script.forced),
                "registrations": len(script.triggers),
            }
            for name, script in self.sessions.items()
        ]
        return sorted(shown, key=lambda session: session["ID"])
