"""Registrations as the specification has them: which events run them, what they count, what they leave behind.

Where RedisGears's documentation is silent, this is what holds:

* What a function of a KeysReader writes raises events for others only if it is not `sync`.
* Of several functions that override one reply the first one wins; the others fail.
* A registration with `commands` has all events of its keys (docs/minigears.md says why), whatever its mode.
* Functions of two registrations that are not `sync` run in any order, so what both write is seen in any order.
* A success clears the last error, as was observed of streams.
* A session is gone with its last registration. A script that registers nothing takes no other's place.
* Every `GB()`, every registration and every script that registers uses an id up, as recorded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.events.commands import Command, Refused
from tests.minigears.model.events.counts import Counts

EVENTS = {"SET": "set", "HSET": "hset", "RPUSH": "rpush", "DEL": "del", "APPEND": "append"}
TYPES = {"SET": "string", "APPEND": "string", "HSET": "hash", "RPUSH": "list"}
BODIES = {
    "note": "foreach({note})",
    "only some": "filter(lambda x: x['event'] != 'set').foreach({note})",
    "fail at del": "foreach({note}).map(lambda x: 1 // (x['event'] != 'del'))",
    "write": "foreach({note}).foreach(lambda x: execute('SET', 'b:{n}', x['event']))",
    "override": "foreach({note}).foreach(lambda x: override_reply('over{n}'))",
}
NOTE = (
    "lambda x: execute('RPUSH', 'log:{n}', '%s %s %s %s' % "
    "(x['key'], x['event'], x.get('type', '-'), x.get('value', '-')))"
)


@dataclass
class Registration(Counts):
    """A KeysReader registration; its number tells its own keys from those of others."""

    prefix: str
    body: str
    events: list[str] | None
    types: list[str] | None
    commands: list[str] | None
    read_value: bool

    @classmethod
    def made(cls, rng: random.Random, number: int) -> Registration:
        """Any one."""
        commands = rng.choice([None, None, ["set"], ["HSET", "del"]])
        prefix = rng.choice(["a:*", "a:1", "b:*", "a*"])
        bodies = set(BODIES) - ({"override"} if commands is None else set())
        bodies -= {"write"} if prefix == "b:*" else set()  # it would never end
        return cls(
            number=number,
            prefix=prefix,
            mode=rng.choice(["sync", "async", "async_local"]),
            body=rng.choice(sorted(bodies)),
            events=rng.choice([None, None, ["SET"], ["hset", "del"]]),
            types=rng.choice([None, None, ["string"], ["hash", "empty"]]),
            commands=commands,
            read_value=rng.random() < 0.7,
        )

    def source(self) -> str:
        """What a script registers it with."""
        body = BODIES[self.body].format(n=self.number, note=NOTE.format(n=self.number))
        given = {"mode": self.mode, "eventTypes": self.events, "keyTypes": self.types}
        given |= {"commands": self.commands, "readValue": self.read_value}
        words = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return f"GB(desc='r{self.number}').{body}.register({self.prefix!r}, {words})\n"

    def wants(self, key: str, event: str, kind: str, command: str | None) -> bool:
        """Whether an event runs it; `command` is what a client did to raise it."""
        fits = key.startswith(self.prefix[:-1]) if self.prefix[-1] == "*" else key == self.prefix
        if self.events is not None and event not in map(str.lower, self.events):
            return False
        if self.types is not None and kind not in self.types:
            return False
        return fits

    def holds(self, command: str | None) -> bool:
        """Whether a client's reply to this command is held back for it."""
        return command in map(str.upper, self.commands or ())

    def data(self) -> dict[str, Any]:
        """What RG.DUMPREGISTRATIONS has of it."""
        return self.shown(self.prefix, self.events, self.types, self.commands)


@dataclass
class World:
    """Keys, sessions and registrations."""

    next_id: int
    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """Type and value by name."""
    sessions: dict[str, list[Registration | Command]] = field(default_factory=dict)

    @property
    def registrations(self) -> list[Registration | Command]:
        """Those in force, oldest first."""
        everything = [r for session in self.sessions.values() for r in session]
        return sorted(everything, key=lambda r: int(r.id.rpartition("-")[2]))

    @property
    def races(self) -> bool:
        """Whether two functions may write at the same time."""
        writing = [r for r in self.registrations if r.body == "write" and r.mode != "sync"]
        return len(writing) > 1

    @property
    def _commands(self) -> list[Command]:
        return [r for r in self.registrations if isinstance(r, Command)]

    def script(
        self, session: str, made: list[Registration | Command], fails: bool, *options: str
    ) -> str:
        """RG.PYEXECUTE: the reply, or a part of the error."""
        replaced = options[1] if "REPLACE_WITH" in options else session
        if session in self.sessions and "REPLACE_WITH" in options:
            return f"Can not replace an existing session {session} with {replaced}"
        if session in self.sessions and "UPGRADE" not in options:
            return f"Session {session} already exists"
        if "REPLACE_WITH" in options and replaced not in self.sessions:
            return f"Can not replace with {replaced}, session does not exists."
        leaving = self.sessions.get(replaced, [])
        beside = [command for command in self._commands if command not in leaving]
        before: list[Command] = []
        for registration in made:
            registration.id = f"{'0' * 40}-{self.next_id + 1}"
            if isinstance(registration, Command):
                if refused := registration.refused(beside, before):
                    self.next_id += 1  # the GB() that it came from
                    return refused
                before.append(registration)
            self.next_id += 2
        if fails:
            return "ZeroDivisionError"
        if made:
            self.sessions.pop(replaced, None)
            self.sessions[session] = made
            self.next_id += 1
        return "OK"

    def unregister(self, registration_id: str) -> str:
        """RG.UNREGISTER."""
        for name, session in list(self.sessions.items()):
            kept = [r for r in session if r.id != registration_id]
            if len(kept) < len(session):
                self.sessions[name] = kept
                if not kept:
                    del self.sessions[name]
                return "OK"
        return "execution is not registered"

    def trigger(self, name: str, *words: str) -> Any:
        """RG.TRIGGER: its results, or a part of the error."""
        found = next((c for c in self._commands if c.trigger == name), None)
        if found is None:
            return "subcommand not found"
        try:
            return found.run(
                [name, *words], lambda value: self.command("SET", "a:2", value, own=True)
            )
        except Refused as error:
            return str(error)

    def append(self, key: str, value: str) -> Any:
        """APPEND, and what stands in front of it: the reply, or a part of the error."""
        hooks = [command for command in reversed(self._commands) if command.stands_before(key)]
        if not hooks:
            return self.command("APPEND", key, value)
        try:
            return self._hooked(hooks, [key, value])
        except Refused as error:
            return str(error)

    def _hooked(self, hooks: list[Command], words: list[str]) -> Any:
        if hooks:
            return hooks[0].hook(words, lambda given: self._hooked(hooks[1:], given))
        reply = self.command("APPEND", *words, own=True)
        if reply == "WRONGTYPE":
            raise Refused(reply)
        return reply

    def command(self, name: str, key: str, *words: str, own: bool = False) -> Any:
        """A command, and the functions that it runs: the reply. `own`: a function calls it, no client."""
        reply = self._change(name, key, *words)
        if isinstance(reply, str) and reply.startswith("WRONGTYPE"):
            return reply
        if name == "DEL" and reply == 0:
            return reply
        overridden = self._happened(key, EVENTS[name], None if own else name)
        return reply if overridden is None else overridden

    def _change(self, name: str, key: str, *words: str) -> Any:
        kind, value = self.keys.get(key, ("empty", None))
        if name == "DEL":
            return int(self.keys.pop(key, None) is not None)
        if name == "SET":
            self.keys[key] = ("string", words[0])
            return "OK"
        if kind not in ("empty", TYPES[name]):
            return "WRONGTYPE"
        if name == "APPEND":
            self.keys[key] = ("string", (value or "") + words[0])
            return len(self.keys[key][1])
        if name == "RPUSH":
            self.keys[key] = ("list", [*(value or []), words[0]])
            return len(self.keys[key][1])
        self.keys[key] = ("hash", {**(value or {}), words[0]: words[1]})
        return int(words[0] not in (value or {}))

    def _happened(self, key: str, event: str, command: str | None) -> str | None:
        """Run the functions of an event; returns what the first one made of the reply."""
        overridden = None
        kind, value = self.keys.get(key, ("empty", None))
        # those that are `sync` have run before the others write anything
        for registration in sorted(self.registrations, key=lambda r: r.mode != "sync"):
            if isinstance(registration, Command) or not registration.wants(
                key, event, kind, command
            ):
                continue
            registration.triggered += 1
            registration.last_error = None
            if registration.body == "only some" and event == "set":
                continue
            seen = (kind, value) if registration.read_value else ("-", "-")
            self._change(
                "RPUSH", f"log:{registration.number}", f"{key} {event} {seen[0]} {seen[1]}"
            )
            if registration.body == "fail at del" and event == "del":
                registration.failures += 1
                registration.last_error = "ZeroDivisionError"
            elif registration.body == "write":
                self._change("SET", f"b:{registration.number}", event)
                if registration.mode != "sync":
                    self._happened(f"b:{registration.number}", "set", None)
            elif registration.body == "override" and not registration.holds(command):
                registration.failures += 1
                registration.last_error = "Can not get command ctx"
            elif registration.body == "override" and overridden is not None:
                registration.failures += 1
                registration.last_error = "Can only override reply once"
            elif registration.body == "override":
                overridden = f"over{registration.number}"
        return overridden
