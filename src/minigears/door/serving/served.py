"""Commands that the door does not simply forward: `RG.*`, hooked commands, INFO and more."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from minigears.door.clients.states import Told
from minigears.door.commands.classifier import (
    SHOW_MINIGEARS,
    TAKES_AWAY,
    is_forged_event,
    is_hello,
    reply_mode,
    shows_gears,
)
from minigears.door.events.notifications import SETTING, with_needed
from minigears.door.events.watch import Watch
from minigears.door.executor import ExecutorLost
from minigears.door.redis import BackendError
from minigears.door.serving import slowlog
from minigears.door.serving.access import ANY_KEY, allowed
from minigears.door.serving.asking import ask
from minigears.door.serving.overriding import override
from minigears.door.serving.scripts import captured
from minigears.door.serving.slowlog import SlowLog
from minigears.door.serving.transactions import execute, queue_gears, queue_hooked, settled
from minigears.protocol import Command, encode_error, with_section

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation

_FORGED = encode_error(
    "NOPERM on this channel Redis tells of what happened to a key: minigears lets nobody else publish there"
)
_NOT_QUEUED = encode_error("ERR RG.CAPTURE cannot be inside MULTI")


@dataclass(frozen=True)
class Desk:
    """What commands are served with."""

    watch: Watch
    with_section: Callable[[bytes], Awaitable[bytes]]
    """Adds the section of minigears to Redis's reply to `INFO`."""
    slowlog: SlowLog = field(default_factory=SlowLog)


async def serve(desk: Desk, client: Conversation, argv: Command) -> None:
    """Answer one command; every earlier one of this client is answered."""
    name, watch = argv[0].lower(), desk.watch
    if name.startswith(b"rg."):
        await _gears(desk, client, argv)
    elif watch.captures.prefixes and watch.captures.is_script(argv, watch.table):
        await captured(watch, client, argv)
    elif name in (b"auth", b"hello"):
        await _login(client, argv)
    elif is_forged_event(argv):
        await _refuse_forged_event(watch, client, argv)
    elif name in watch.interest.special_commands:
        await _hooked(watch, client, argv)
    elif name == b"command":
        await _command(watch, client, argv)
    elif name == b"client":
        await _client_reply(client, argv)
    elif name == b"config":
        await _config_set(watch, client, argv)
    elif name == b"function":
        await _function(watch, client, argv)
    elif name in TAKES_AWAY:
        await _takes_away(watch, client, argv)
    elif name == b"slowlog":
        await slowlog.serve(desk.slowlog, client, argv)
    elif name == b"exec":
        await execute(watch, desk.slowlog, client, argv)
    elif name == b"info":
        await _info(desk, client, argv)
    else:
        await _hooked(watch, client, argv)


async def _info(desk: Desk, client: Conversation, argv: Command) -> None:
    """`INFO`, and what the executor says where sections of RedisGears are asked for."""
    reply = await ask(client, argv)
    sections = [word.lower() for word in argv[1:]]
    of_gears = [section for section in sections if shows_gears(section)]
    if of_gears and not reply.startswith((b"-", b"+")):
        words = [b"INFO", *of_gears]
        with contextlib.suppress(ExecutorLost):
            said = await desk.watch.executor.command(words, {}, lambda: not client.abandoned)
            told = said.partition(b"\r\n")[2].removesuffix(b"\r\n")
            reply = with_section(reply, told) if told else reply
    ours = not sections or not SHOW_MINIGEARS.isdisjoint(sections)
    client.reply(await desk.with_section(reply) if ours else reply)


async def _gears(desk: Desk, client: Conversation, argv: Command) -> None:
    """An `RG.*` command, for a client that Redis lets run scripts: on the key of TRIGGERONKEY, else on any."""
    capture = argv[0].lower() == b"rg.capture"
    on_key = argv[0].lower() == b"rg.triggeronkey" and len(argv) > 2
    nonce = secrets.token_hex(16).encode()
    script, key = b"return {ARGV[1], false}", argv[2] if on_key else ANY_KEY
    stand_in: Command = [b"EVAL", script, b"1", key, nonce]
    if client.in_multi and capture:
        await ask(client, [b"EVAL"])  # it is refused, and EXEC is
        client.reply(_NOT_QUEUED)
        return
    if client.in_multi:
        await queue_gears(client, argv, stand_in, nonce)
        return
    said = await ask(client, stand_in, past_messages=True)
    _, mine, nil = said.partition(b"*2\r\n$%d\r\n%b\r\n" % (len(nonce), nonce))
    if not mine:  # an error, or QUEUED
        name = b"'" + argv[0].lower() + b"'"
        client.reply(said.replace(b"'eval'", name) if said.startswith(b"-") else said)
        return
    resp = 3 if nil.startswith(b"_") else 2
    try:
        if capture:
            client.reply(await desk.watch.register.serve(desk.watch.admin, argv))
            return
        begun = perf_counter()  # uvloop's own time is the turn's, in whole milliseconds
        reply = await desk.watch.executor.command(
            argv, {"resp": resp}, lambda: not client.abandoned
        )
        await slowlog.note(desk.slowlog, desk.watch.admin, client, argv, perf_counter() - begun)
        client.reply(reply)
    except (BackendError, ExecutorLost) as error:
        client.reply(encode_error(f"ERR {error}"))


async def _login(client: Conversation, argv: Command) -> None:
    """`AUTH` and `HELLO`: once Redis has agreed, the client may send large commands, or speaks another RESP."""
    reply = await ask(client, argv)
    client.reply(reply)
    if reply.startswith(b"-"):
        return
    if client.in_multi:
        if is_hello(argv):
            client.queue(argv)
    else:
        client.agreed(argv)
        # Whom Redis lets say PING, a marker finds: replies need not be counted until they matter.
        allowed = await ask(client, [b"PING"])
        client.trust(count=allowed.startswith(b"-"))


async def _command(watch: Watch, client: Conversation, argv: Command) -> None:
    """`COMMAND INFO` knows the commands of both sides, for whom Redis lets ask."""
    said = await ask(client, argv)
    if client.in_multi or said.startswith(b"-"):
        client.reply(said)
        return
    parts = []
    for name in argv[2:]:
        single: Command = [*argv[:2], name]
        if name.lower().startswith(b"rg."):
            try:
                reply = await watch.executor.command(single, {"resp": 2})
            except ExecutorLost as error:
                client.reply(encode_error(f"ERR {error}"))
                return
        else:
            reply = await ask(client, single)
        parts.append(reply.partition(b"\r\n")[2])
    client.reply(b"*%d\r\n" % len(parts) + b"".join(parts))


async def _client_reply(client: Conversation, argv: Command) -> None:
    """`CLIENT REPLY` is kept from Redis: the door has to see replies to know what is done.

    Redis is asked whether the client may say it, with the one that changes nothing there.
    """
    wanted = reply_mode(argv)
    if wanted and not client.in_multi:
        said = await ask(client, [*argv[:2], b"ON"])
        if said.startswith(b"-"):
            client.reply(said)
            return
    if wanted == b"on":
        client.tell(Told.ALL)
        client.reply(b"+OK\r\n")
    elif wanted == b"off":
        client.tell(Told.NONE)
    elif wanted == b"skip":
        if client.told is Told.ALL:
            client.tell(Told.ALL_BUT_NEXT)
    else:
        client.forward(argv)


async def _config_set(watch: Watch, client: Conversation, argv: Command) -> None:
    """A client that chooses notifications of its own must not switch off those that are needed."""
    if watch.interest.needs_events:
        argv = list(argv)
        for at in range(2, len(argv) - 1, 2):
            if argv[at].lower() == SETTING:
                argv[at + 1] = with_needed(argv[at + 1], watch.interest.reads_matter)
    client.forward(argv)


async def _function(watch: Watch, client: Conversation, argv: Command) -> None:
    """A client that clears Redis's functions does not mean what was registered, which is kept there."""
    reply = await ask(client, argv)
    if not reply.startswith(b"-"):
        with contextlib.suppress(ExecutorLost):
            await watch.executor.command(argv, {})  # it stores them again
        with contextlib.suppress(BackendError):
            await watch.register.keep(watch.admin)
    client.reply(reply)


async def _refuse_forged_event(watch: Watch, client: Conversation, argv: Command) -> None:
    """Only Redis itself may say that something happened to a key."""
    if client.in_multi:
        client.forward([b"PUBLISH"])  # it is refused, and EXEC is
    elif await allowed(watch.admin, client, argv):
        client.reply(_FORGED)
    else:
        client.forward(argv)


async def _takes_away(watch: Watch, client: Conversation, argv: Command) -> None:
    """A command that may take the journal away from where it is, or bring it into view."""
    reply = await ask(client, argv)
    if not reply.startswith(b"-") and not client.in_multi:
        await watch.bring_back()
    client.reply(reply)


async def _hooked(watch: Watch, client: Conversation, argv: Command) -> None:
    """A command that a hook or a registration's `commands` asks for, or one that was neither."""
    keys = watch.table.keys(argv)
    hooks = watch.interest.hooks_for(argv[0], keys)
    blocking = watch.table.is_blocking(argv[0])  # who waits for others must not make them wait
    overrides = watch.interest.takes_command(argv[0], keys) and not blocking
    if client.in_multi and hooks:
        await queue_hooked(client, argv)
        return
    if client.in_multi or not (hooks or overrides):
        if overrides:
            client.queue(argv)
        client.forward(argv)
        return
    try:
        user = await allowed(watch.admin, client, watch.table.fitted(argv))
        answer = await _ask_hooks(watch, hooks, argv, user) if user and hooks else None
    except (BackendError, ExecutorLost) as error:
        answer = encode_error(f"ERR {error}")
    if answer is not None:
        client.reply(answer)
    elif user and overrides:
        await _with_override(watch, client, argv, keys)
    else:
        client.forward(argv)  # whom Redis does not allow it, it tells so


async def _ask_hooks(watch: Watch, hooks: list[str], argv: Command, user: bytes) -> bytes | None:
    """What a hook answers, when the functions are done of what it let happen to the command's keys."""
    concerned = set(watch.classifier.concerned(argv))
    intent = watch.journal.record(concerned) if concerned else None
    try:
        return await watch.executor.call(hooks, argv, user)
    finally:
        if intent is not None:
            await settled(watch, concerned, functools.partial(watch.journal.release, intent))


async def _with_override(
    watch: Watch, client: Conversation, argv: Command, keys: list[bytes]
) -> None:
    """Run a command, then the functions that it triggers, any of which may replace its reply."""
    intent = watch.journal.record(set(keys))
    async with watch.overrides.collect(keys) as events:
        answer = await ask(client, argv)
        told = asyncio.Event()
        watch.notifications.barrier(told.set)
        await told.wait()
    if answer.startswith(b"-"):  # what happened to the keys meanwhile was not this command's doing
        watch.hand_over(events)
    else:
        answer = await override(watch, events, argv) or answer
    done = asyncio.Event()
    watch.delivery.wait(keys, False, lambda: watch.journal.release(intent))
    watch.delivery.wait(keys, True, done.set)
    await done.wait()
    client.reply(answer)
