"""`SLOWLOG` knows of `RG.*`, too: what took long here stands between what took long in Redis."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from minigears.door.redis import BackendError, Connection
from minigears.door.serving.asking import ask
from minigears.protocol import Command, array_elements, encode_command

if TYPE_CHECKING:
    from minigears.door.clients.conversation import Conversation

SETTING = b"slowlog-log-slower-than"
"""Redis's setting: microseconds from which on a command is slow; negative for never."""

_QUICK = 0.001  # seconds; below that Redis is not even asked
_KEPT = 128  # entries, as `slowlog-max-len` has it at first
_WORDS, _BYTES = 32, 128
"""What is kept of a command at most, as Redis does."""
_FIRST_ID = 1 << 40
"""Redis counts its own from 0: no two are alike."""


@dataclass
class SlowLog:
    """What took long here, the newest first."""

    _entries: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _next: int = _FIRST_ID

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, argv: Sequence[bytes], microseconds: int, address: bytes) -> None:
        """Note a command that has ended just now."""
        now = int(time.time())
        words = encode_command(_shortened(argv))
        head = b"*6\r\n:%d\r\n:%d\r\n:%d\r\n" % (self._next, now, microseconds)
        self._entries.appendleft(
            (now, head + words + b"$%d\r\n%b\r\n$0\r\n\r\n" % (len(address), address))
        )
        self._next += 1

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def among(self, theirs: Sequence[bytes], count: int) -> list[bytes]:
        """Redis's entries and ours, the newest first; at most `count` if that is not negative."""
        both = [(when, entry) for when, entry in self._entries]
        both += [(_when(entry), entry) for entry in theirs]
        both.sort(key=lambda pair: pair[0], reverse=True)
        entries = [entry for _, entry in both]
        return entries if count < 0 else entries[:count]


def _when(entry: bytes) -> int:
    parts = array_elements(entry) or []
    return int(parts[1][1:]) if len(parts) > 1 else 0


def _shortened(argv: Sequence[bytes]) -> list[bytes]:
    words = [
        word
        if len(word) <= _BYTES
        else b"%b... (%d more bytes)" % (word[:_BYTES], len(word) - _BYTES)
        for word in argv[:_WORDS]
    ]
    if len(argv) > _WORDS:
        words[-1] = b"... (%d more arguments)" % (len(argv) - _WORDS + 1)
    return words


async def note(
    kept: SlowLog, admin: Connection, client: Conversation, argv: Command, seconds: float
) -> None:
    """Keep a command that took so long, if Redis is to keep such."""
    if seconds < _QUICK:
        return
    try:
        limit = int((await admin.call("CONFIG", "GET", SETTING))[1])
    except BackendError:
        return
    if 0 <= limit <= seconds * 1e6:
        kept.add(argv, int(seconds * 1e6), client.address)


async def serve(kept: SlowLog, client: Conversation, argv: Command) -> None:
    """`SLOWLOG`."""
    answer = await ask(client, argv)
    what = argv[1].lower() if len(argv) > 1 else b""
    if client.in_multi or answer.startswith(b"-"):
        pass
    elif what == b"reset":
        kept.clear()
    elif what == b"len":
        answer = b":%d\r\n" % (int(answer[1:]) + len(kept))
    elif what == b"get" and (theirs := array_elements(answer)) is not None:
        entries = kept.among(theirs, int(argv[2]) if len(argv) > 2 else 10)
        answer = b"*%d\r\n" % len(entries) + b"".join(entries)
    client.reply(answer)
