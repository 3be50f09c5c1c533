"""Registrations with `commands=[…]`: which events are theirs, and whose reply they may override. No I/O."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from minigears.door.events.delivery import Event

_OTHERS = {
    "set": "setex psetex setnx mset msetnx msetex getset bitop",
    "expire": "set setex psetex getex msetex pexpire expireat pexpireat hexpire",
    "rename_from": "renamenx",
    "rename_to": "renamenx",
    "persist": "getex",
    "incrby": "incr decr decrby",
    "decrby": "decr",
    "setbit": "bitfield",
    "pfadd": "pfmerge",
    "hset": "hmset hsetnx hsetex",
    "hdel": "hgetdel hexpire hpexpire hexpireat hpexpireat hsetex hgetex",
    "hexpire": "hpexpire hexpireat hpexpireat hsetex hgetex",
    "hpersist": "hgetex",
    "xdel": "xdelex xackdel",
    "lpush": "lpushx lmove blmove rpoplpush brpoplpush",
    "rpush": "rpushx lmove blmove",
    "lpop": "blpop lmpop blmpop lmove blmove",
    "rpop": "brpop lmpop blmpop lmove blmove rpoplpush brpoplpush",
    "sadd": "smove",
    "srem": "smove",
    "zadd": "geoadd zincrby",
    "zincr": "zincrby zadd",
    "zrembyscore": "zremrangebyscore",
    "zrembyrank": "zremrangebyrank",
    "zrembylex": "zremrangebylex",
    "zpopmin": "bzpopmin zmpop bzmpop",
    "zpopmax": "bzpopmax zmpop bzmpop",
    "sortstore": "sort",
    "georadiusstore": "georadius georadiusbymember",
    "del": "unlink getdel delex hgetdel json.del json.forget lpop rpop blpop brpop lmpop blmpop lmove blmove rpoplpush "
    "brpoplpush lrem ltrim hdel srem spop smove zrem zpopmin zpopmax bzpopmin bzpopmax zmpop bzmpop "
    "zremrangebyscore zremrangebyrank zremrangebylex sort sinterstore sdiffstore sunionstore "
    "zinterstore zunionstore zdiffstore zrangestore xsetid geosearchstore expire pexpire expireat "
    "pexpireat",
}
"""Commands that raise an event of another name than their own."""


def may_come_of(commands: Collection[bytes], event: str) -> bool:
    """Whether one of these commands, in lower case, can have raised this event.

    `rename_to` and `xgroup-create` begin with the command's name.
    """
    own = {event, event.partition("_")[0], event.partition("-")[0]}
    return not {name.encode() for name in own.union(_OTHERS.get(event, "").split())}.isdisjoint(
        commands
    )


class Scopes:
    """Collects the events of such commands, which are then handed to the executor one by one."""

    def __init__(self) -> None:
        self._scopes: dict[bytes, tuple[bytes | None, list[Event]]] = {}
        self._left = asyncio.Condition()

    def concern(self, key: bytes, event: str, commands: Collection[bytes]) -> bool:
        """Whether an event is one that a registration with these `commands` wants.

        Where no such command is being carried out for its key, nobody tells which one has raised
        it: its name decides.
        """
        command, _ = self._scopes.get(key, (None, None))
        if command in commands:
            return True
        by_another = command is not None and may_come_of({command}, event)
        return not by_another and may_come_of(commands, event)

    def take(self, event: Event, commands: Collection[bytes]) -> bool:
        """Keep an event if such a command is being carried out for its key; tells whether it was kept."""
        if event.key not in self._scopes:
            return False
        command, events = self._scopes[event.key]
        if command is not None and command not in commands:
            return False
        events.append(event)
        return True

    @contextlib.asynccontextmanager
    async def collect(
        self, keys: Collection[bytes], command: bytes | None = None
    ) -> AsyncIterator[list[Event]]:
        """Collect the events of these keys while a command, or a transaction (None), is carried out.

        Commands about the same key take turns: nobody could tell whose event is whose.
        """
        async with self._left:
            await self._left.wait_for(lambda: self._scopes.keys().isdisjoint(keys))
        events: list[Event] = []
        self._scopes.update(dict.fromkeys(keys, (command, events)))
        try:
            yield events
        finally:
            for key in set(keys):
                del self._scopes[key]
            async with self._left:
                self._left.notify_all()
