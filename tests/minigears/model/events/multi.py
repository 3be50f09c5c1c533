"""Commands one by one, between MULTI and EXEC, and in Lua: triggers, hooks and overridden replies.

Where RedisGears's documentation is silent, or docs/minigears.md says that minigears differs, this is what holds:

* Between MULTI and EXEC triggers and hooked commands run when EXEC has carried out the others, in their order; their
  replies stand in their places.
* There nothing may wait: what is not `sync` is an error, a coroutine and a future are, too.
* Lua knows no trigger, and passes hooks by. Its writes raise events, and so do those of a hook's `call_next`.
* Functions of different keys take turns, so only those of one key run in the order of the commands.
* A function overrides the reply of each command of a transaction on its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.minigears.model.events.commands import Command, Refused

ONLY_SYNC = (
    "can not run a non-sync execution inside a MULTI/LUA (blocking is not allowed) or on loading."
)
NO_RUN = "Can not run gears inside a multi exec, lua, or when blocking is not allowed"
NOT_ALLOWED = "Creating async record is not allowed"
SCRIPT = """
import threading
async def coroutine(x): return 'later'
def future(x):
    made = gearsFuture()
    threading.Thread(target=made.continueRun, args=('later',)).start()
    return made
GB('CommandReader').map(lambda x: execute('RPUSH', 'log', x[1])).register(trigger='log', mode='sync')
GB('CommandReader').map(lambda x: execute('RPUSH', 'log', x[1])).register(trigger='async', mode='{mode}')
GB('CommandReader').map(lambda x: isAsyncAllow()).register(trigger='allowed', mode='sync')
GB('CommandReader').map(coroutine).register(trigger='coroutine', mode='sync')
GB('CommandReader').map(future).register(trigger='future', mode='sync')
GB('CommandReader').map(lambda x: 1 // 0).register(trigger='fail', mode='sync')
GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', x['key'] + ' ' + x['event'])) \\
    .register(prefix='k:*', mode='sync', readValue=False)
GB('KeysReader').foreach(lambda x: override_reply([x['key'], *get_command()])) \\
    .register(prefix='o:*', mode='sync', commands=['set', 'incr'], readValue=False)
"""
COMMANDS = [
    *(["SET", "k:1", "v"], ["SET", "o:1", "v"], ["SET", "o:2", "v", "NX"], ["INCR", "o:3"]),
    *(["GET", "k:1"], ["INCR", "n"], ["INCR", "k:1"], ["DEL", "k:1", "o:2"]),
    *(["APPEND", "h:1", "v"], ["APPEND", "h:2", "v"], ["APPEND", "k:2", "v"]),
    *(["RG.TRIGGER", "log", "a"], ["RG.TRIGGERONKEY", "log", "b"], ["RG.TRIGGER", "async", "c"]),
    *(["RG.TRIGGER", "allowed"], ["RG.TRIGGER", "coroutine"], ["RG.TRIGGER", "future"]),
    *(["RG.TRIGGER", "fail"], ["RG.TRIGGER", "none"], ["RG.PYEXECUTE", "1"]),
    ["EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "k:3"],
    ["EVAL", "return redis.call('APPEND', KEYS[1], 'v')", "1", "h:1"],
    ["EVAL", "return redis.pcall('RG.TRIGGER', 'log', 'lua')", "0"],
]


@dataclass
class World:
    """Keys, the notes that functions have made, and hooks of APPEND, the oldest first."""

    hooks: list[Command]
    keys: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @classmethod
    def made(cls, rng: random.Random) -> World:
        """With any hooks; only the last one may be one that is not `sync`."""
        hooks = [Command.made(rng, number) for number in range(rng.randrange(4))]
        for hook in hooks:
            hook.trigger, hook.prefix = None, rng.choice([None, "h:", "h:1", "k"])
            hook.body = rng.choice(["next", "shout", "block", "fail", "two"])
            hook.mode = hook.mode if hook is hooks[-1] else "sync"
        return cls(hooks)

    def alone(self, words: list[str]) -> Any:
        """A command on its own: the reply, or a part of the error."""
        return self._do(words, in_multi=False)

    def together(self, commands: list[list[str]]) -> list[Any]:
        """The reply of EXEC."""
        replies: dict[int, Any] = {}
        later = [n for n, words in enumerate(commands) if self._is_late(words)]
        for number in [n for n in range(len(commands)) if n not in later] + later:
            replies[number] = self._do(commands[number], in_multi=True)
        return [replies[number] for number in range(len(commands))]

    def _is_late(self, words: list[str]) -> bool:
        return words[0].startswith("RG.") or (words[0] == "APPEND" and bool(self._standing(words)))

    def _standing(self, words: list[str]) -> list[Command]:
        return [hook for hook in reversed(self.hooks) if hook.stands_before(words[1])]

    def _do(self, words: list[str], in_multi: bool) -> Any:
        if words[0] == "RG.PYEXECUTE":
            return NO_RUN if in_multi else "OK"
        if words[0].startswith("RG."):
            return self._trigger(words[1:], in_multi)
        if words[0] == "EVAL":
            return self._lua(words)
        standing = self._standing(words) if words[0] == "APPEND" else []
        if not standing:
            return self._plain(words)
        if in_multi and not standing[0].sync:
            return ONLY_SYNC
        try:
            return self._hooked(standing, words[1:])
        except Refused as error:
            return str(error)

    def _hooked(self, hooks: list[Command], words: list[str]) -> Any:
        if hooks:
            return hooks[0].hook(words, lambda given: self._hooked(hooks[1:], given))
        return self._plain(["APPEND", *words])

    def _trigger(self, words: list[str], in_multi: bool) -> Any:
        name = words[0]
        if name == "async" and in_multi:
            return ONLY_SYNC
        if name in ("log", "async"):
            self.log.append(words[1])
            return [str(len(self.log))]
        if name == "allowed":
            return [str(not in_multi)]
        if name in ("coroutine", "future"):
            return NOT_ALLOWED if in_multi else ["later"]
        return "ZeroDivisionError" if name == "fail" else "subcommand not found"

    def _lua(self, words: list[str]) -> Any:
        if "RG.TRIGGER" in words[1]:
            return "command"  # unknown, in the words of Redis or of Valkey
        return self._plain(["SET" if "SET" in words[1] else "APPEND", words[3], "v"], lua=True)

    def _plain(self, words: list[str], lua: bool = False) -> Any:
        name, key = words[0], words[1]
        if name == "DEL":
            there = [one for one in words[1:] if self.keys.pop(one, None) is not None]
            self.seen += [f"{one} del" for one in there if one.startswith("k:")]
            return len(there)
        if name == "GET":
            return self.keys.get(key)
        if name == "SET" and "NX" in words and key in self.keys:
            return None
        if name == "INCR" and not self.keys.get(key, "0").isdecimal():
            return "value is not an integer"
        old = self.keys.get(key, "")
        self.keys[key] = {"SET": "v", "APPEND": old + words[-1]}.get(name, "")
        reply: Any = "OK" if name == "SET" else len(self.keys[key])
        if name == "INCR":
            reply = int(old or 0) + 1
            self.keys[key] = str(reply)
        if key.startswith("k:"):
            self.seen.append(f"{key} {'incrby' if name == 'INCR' else name.lower()}")
        if key.startswith("o:") and not lua:
            return [key, *words]
        return reply
