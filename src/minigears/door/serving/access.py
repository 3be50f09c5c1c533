"""What Redis lets a client do. Asked before anything is done for the client with minigears's own rights.

Redis alone knows: its users, their selectors and its password may change while the client is connected.
`HELLO` without words changes nothing and is allowed to whoever has logged in, so it tells on the client's own
connection whether that is so, and the connection's number. By this the door's connection finds the user of
now, and `ACL DRYRUN` says what that user may do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import hiredis

from minigears.door.redis import BackendError, Connection
from minigears.door.serving.asking import ask

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation

ANY_KEY = b"\0minigears: any key"
"""A key that no pattern covers but one that covers all, such as `~*`."""

_USER = re.compile(rb" user=(\S+)")
_NOT_SERVED = (b"-NOAUTH", b"-ERR Can't execute", b"+QUEUED")
"""What Redis says to HELLO when it would refuse, or queue, the client's own command, too."""


async def allowed(admin: Connection, client: Conversation, argv: Sequence[bytes]) -> bytes | None:
    """The client's user, if Redis would let it run `argv` now; None if Redis would not.

    Only drained, and outside MULTI. Whoever gets None forwards the command: Redis refuses it in its own words.

    Raises:
        BackendError: Redis cannot be asked.
    """
    number = await _connection_number(client)
    if number is None:
        return None
    user = _USER.search(await admin.call("CLIENT", "LIST", "ID", number))
    if user is None:  # Redis is closing the connection: its user was deleted
        return None
    return user[1] if await permits(admin, user[1], argv) else None


async def permits(admin: Connection, user: bytes, argv: Sequence[bytes]) -> bool:
    """Whether Redis would let a user run `argv`; raises BackendError when the connection is lost."""
    try:
        return bool(await admin.call("ACL", "DRYRUN", user, *argv) == b"OK")
    except BackendError:  # no such user, no such command, or too few words
        if admin.closed.done():
            raise
        return False


async def check(admin: Connection) -> None:
    """See that Redis will answer what `allowed` asks; raises BackendError if it will not."""
    try:
        await admin.call("CLIENT", "LIST", "ID", await admin.call("CLIENT", "ID"))
        await admin.call("ACL", "DRYRUN", await admin.call("ACL", "WHOAMI"), "PING")
    except BackendError as error:
        raise BackendError(
            f"{error}. Before minigears does something for a client it asks Redis whether the client may: "
            "give its user +acl|whoami +acl|dryrun +client|id +client|list"
        ) from None


async def _connection_number(client: Conversation) -> int | None:
    """The number that Redis gave the client's connection; None if it would not serve the client."""
    said = await ask(client, [b"HELLO"], past_messages=True)
    if said.startswith(_NOT_SERVED):
        return None
    reader = hiredis.Reader()
    reader.feed(said)
    fields = reader.gets()
    if isinstance(fields, list):
        fields = dict(zip(fields[::2], fields[1::2], strict=False))
    number = fields.get(b"id") if isinstance(fields, dict) else None
    if not isinstance(number, int):
        raise BackendError(f"redis-server does not say who its client is: {said[:100]!r}")
    return number
