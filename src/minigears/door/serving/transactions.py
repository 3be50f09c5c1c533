"""Transactions that hold more than Redis knows: `RG.*`, hooked commands, replies that functions override.

Redis queues a stand-in for each command that is not its own. When `EXEC` has carried out the others, those commands
are served in their order, and what they answer takes the places of the stand-ins in the array of `EXEC`.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from minigears.door.clients.queued import Queued
from minigears.door.executor import ExecutorLost
from minigears.door.redis import BackendError
from minigears.door.serving.access import allowed
from minigears.door.serving.asking import ask
from minigears.door.serving.overriding import override
from minigears.door.serving.slowlog import SlowLog, note
from minigears.protocol import Command, array_elements, encode_error

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation
    from minigears.door.events.delivery import Event
    from minigears.door.events.watch import Watch


async def queue_gears(client: Conversation, argv: Command, stand_in: Command, mark: bytes) -> None:
    """Inside MULTI: an `RG.*` command, for which Redis queues `stand_in`, as it may the client run that."""
    said = await ask(client, stand_in)
    if said.startswith(b"-"):
        said = said.replace(b"'eval'", b"'" + argv[0].lower() + b"'")
    else:
        client.queue(argv, mark)
    client.reply(said)


async def queue_hooked(client: Conversation, argv: Command) -> None:
    """Inside MULTI: a command that a hook stands in front of."""
    mark = secrets.token_hex(16).encode()
    said = await ask(client, [b"PING", mark])
    if not said.startswith(b"-"):
        client.queue(argv, mark)
    client.reply(said)


async def execute(watch: Watch, kept: SlowLog, client: Conversation, argv: Command) -> None:
    """`EXEC` of a transaction in which something was queued here; what takes long is `kept`."""
    queue, length, concerned = client.take_queue()
    for queued in queue:
        concerned |= set(watch.classifier.concerned(queued.argv))
    intent = watch.journal.record(concerned) if concerned else None
    overriding = [queued for queued in queue if queued.mark is None]
    keys = {key for queued in overriding for key in watch.table.keys(queued.argv)}
    async with watch.overrides.collect(keys) as events:
        answer = await ask(client, argv)
        await _all_told(watch)
    replies = array_elements(answer)
    told = replies is not None and len(replies) == length
    overriding = [q for q in overriding if told and not _failed(replies, q.place)]
    changing = [q for q in overriding if not _set_nothing(q.argv, (replies or [])[q.place])]
    await _run_overriding(watch, changing, events, replies or [])
    for queued in overriding:
        client.agreed(queued.argv)
    for queued in queue if replies is not None else ():
        if queued.mark is not None:
            begun = time.monotonic()
            await _take_place(watch, client, queued, replies or [])
            took = time.monotonic() - begun
            await note(kept, watch.admin, client, queued.argv, took)
    if intent is not None:
        await settled(watch, concerned, functools.partial(watch.journal.release, intent))
    if replies is not None:
        answer = b"*%d\r\n" % len(replies) + b"".join(replies)
    client.reply(answer)


def _failed(replies: list[bytes] | None, place: int) -> bool:
    return not replies or replies[place].startswith(b"-")


def _set_nothing(argv: Command, reply: bytes) -> bool:
    """Whether a `SET … NX` or the like says that it has set nothing: then no event is its own."""
    if argv[0].lower() not in (b"set", b"json.set") or reply not in (b"$-1\r\n", b"_\r\n"):
        return False
    return not any(word.upper() == b"GET" for word in argv[3:])


async def _all_told(watch: Watch) -> None:
    """Return once every notification of what Redis has done so far is here."""
    told = asyncio.Event()
    watch.notifications.barrier(told.set)
    await told.wait()


async def settled(watch: Watch, keys: Iterable[bytes], release: functools.partial[None]) -> None:
    """Return once the sync functions of these keys are done."""
    await _all_told(watch)
    done = asyncio.Event()
    keys = list(keys)
    watch.delivery.wait(keys, False, release)
    watch.delivery.wait(keys, True, done.set)
    await done.wait()


async def _run_overriding(
    watch: Watch, commands: list[Queued], events: list[Event], replies: list[bytes]
) -> None:
    """Run the functions of the events that these commands have caused; others go their usual way.

    So do those that are not `sync`: nothing waits inside MULTI, so they cannot change a reply.
    """
    whose = _share_out(watch, commands, [event for event in events if event.sync])
    watch.hand_over([event for event in events if not any(event in own for own in whose.values())])
    for place, own in whose.items():
        argv = next(queued.argv for queued in commands if queued.place == place)
        replies[place] = await override(watch, own, argv) or replies[place]


def _share_out(watch: Watch, commands: list[Queued], events: list[Event]) -> dict[int, list[Event]]:
    """Which command has caused which events, by its place.

    Those of one key have come in the order of its commands, of which some may have changed nothing.
    """
    whose: dict[int, list[Event]] = {}
    last: dict[tuple[str, bytes], int] = {}
    for event in events:
        own = [queued for queued in commands if event.key in watch.table.keys(queued.argv)]
        if own:
            after = last.get((event.registration, event.key), -1)
            place = _cause(event, [q for q in own if q.place > after] or own[-1:]).place
            last[event.registration, event.key] = place
            whose.setdefault(place, []).append(event)
    return whose


def _cause(event: Event, commands: list[Queued]) -> Queued:
    name = event.name.encode()
    return next((q for q in commands if q.argv[0].lower() == name), commands[0])


async def _take_place(
    watch: Watch, client: Conversation, queued: Queued, replies: list[bytes]
) -> None:
    """Serve a command and put its reply where its stand-in's is."""
    mark = queued.mark or b""
    place = next((at for at, reply in enumerate(replies) if mark in reply), None)
    if place is None:
        return
    try:
        if queued.argv[0].lower().startswith(b"rg."):
            resp = 3 if replies[place].endswith(b"_\r\n") else 2
            about = {"resp": resp, "multi": True}
            replies[place] = await watch.executor.command(
                queued.argv, about, lambda: not client.abandoned
            )
        else:
            replies[place] = await _hooked(watch, client, queued.argv)
    except (BackendError, ExecutorLost) as error:
        replies[place] = encode_error(f"ERR {error}")


async def _hooked(watch: Watch, client: Conversation, argv: Command) -> bytes:
    hooks = watch.interest.hooks_for(argv[0], watch.table.keys(argv))
    user = await allowed(watch.admin, client, watch.table.fitted(argv))
    answer = await watch.executor.call(hooks, argv, user, in_multi=True) if user and hooks else None
    return await ask(client, argv) if answer is None else answer
