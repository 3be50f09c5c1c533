"""Asking Redis on a client's own connection, for those who serve its commands and wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from minigears.protocol import Command, array_elements

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation


async def ask(client: Conversation, argv: Command, past_messages: bool = False) -> bytes:
    """Redis's reply to `argv` on the client's connection; see `Conversation.ask`.

    Raises:
        WrongStateError: a command before it is not answered yet.
    """
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    client.ask(argv, lambda raw: None if reply.done() else reply.set_result(raw), past_messages)
    return await reply


async def ask_all(client: Conversation, commands: list[Command]) -> list[bytes]:
    """Redis's replies to several commands that are sent at once; raises as `ask` does."""
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    client.ask_all(commands, lambda raw: None if reply.done() else reply.set_result(raw))
    return array_elements(b"*%d\r\n" % len(commands) + await reply) or []
