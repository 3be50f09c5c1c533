"""Scripts and functions of clients that declare captured keys, each in a transaction with what captures them.

Redis runs none of them inside a function, so the client's own command stands between two calls. That there is room
is asked before the transaction, which cannot be left in the middle: scripts that were let begin at the same moment may
together bring a few entries more than may wait.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from minigears.door.serving.asking import ask, ask_all
from minigears.door.serving.transactions import settled
from minigears.protocol import Command, array_elements

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation
    from minigears.door.events.watch import Watch


async def captured(watch: Watch, client: Conversation, argv: Command) -> None:
    """Run a script and queue what it changed; it is not run if there is no room, or its client has no right to."""
    begins, ends = watch.captures.around(argv, watch.table, client.protocol)
    room, begun = await ask_all(client, [begins, [b"MULTI"]])
    if room.startswith(b"-") or begun.startswith(b"-"):
        if not begun.startswith(b"-"):
            await ask(client, [b"DISCARD"])
        client.reply(room if room.startswith(b"-") else begun)
        return
    concerned = set(watch.classifier.concerned(argv))
    intent = watch.journal.record(concerned) if concerned else None
    answer = _answer(await ask_all(client, [begins, argv, ends, [b"EXEC"]]))
    if intent is not None:
        await settled(watch, concerned, functools.partial(watch.journal.release, intent))
    client.reply(answer)


def _answer(replies: list[bytes]) -> bytes:
    """The script's own reply, or what kept it, or its documents' entries, from being there."""
    *queued, executed = replies
    for reply in (queued[1], *queued):
        if reply.startswith(b"-"):
            return reply
    elements = array_elements(executed)
    if elements is None:
        return executed
    _, reply, entered = elements
    return reply if reply.startswith(b"-") or not entered.startswith(b"-") else entered
