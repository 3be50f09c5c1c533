"""What clients hear while redis-server is away or does not answer: what a Redis says that is loading. Pure."""

from __future__ import annotations

from minigears.door.commands.parser import RequestParser
from minigears.protocol import ProtocolError, encode_error

UNAVAILABLE = encode_error(
    "LOADING minigears waits for redis-server, which is away or does not answer. Try again later"
)
"""Clients know an error that begins with LOADING: they try again, or tell their caller."""


class Refusal:
    """Refuses each command of one client."""

    def __init__(self) -> None:
        self._parser = RequestParser()
        self.used = False
        """Whether the client has said anything: it must not believe that any of it was done."""

    @property
    def over(self) -> bool:
        """Whether what it says makes no sense, or is more than is kept for somebody unknown."""
        return self._parser.error is not None or self._parser.held > _MAX_HELD

    def answer(self, data: bytes) -> bytes:
        """One error for each command that is complete once `data` has come."""
        self.used = True
        try:
            return UNAVAILABLE * len(self._parser.feed(data))
        except ProtocolError as error:
            return encode_error(f"ERR {error}")


_MAX_HELD = 64 * 1024  # bytes
