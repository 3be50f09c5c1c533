"""Ids: 40 zeros, a dash, a number. Executions and registrations count separately."""

from __future__ import annotations

import re
import secrets
import threading

SHARD = "0" * 40
_MAX_DIGITS = 20
_SESSION = re.compile(r"[A-Za-z0-9_-]+")


def to_id(number: int) -> str:
    """The id of execution or registration `number`."""
    return f"{SHARD}-{number}"


def to_number(text: str) -> int | None:
    """The number in an id; None if it is not one of ours."""
    shard, _, number = text.rpartition("-")
    ours = shard == SHARD and number.isdecimal() and len(number) < _MAX_DIGITS
    return int(number) if ours else None


def new_session_id() -> str:
    """A session id for a script that asks for none: 40 hex digits."""
    return secrets.token_hex(20)


def is_session_id(text: str) -> bool:
    """Whether a user may call a session so."""
    return bool(_SESSION.fullmatch(text))


class Counter:
    """Numbers in order, from any thread."""

    def __init__(self, first: int = 0):
        self._next = first
        self._lock = threading.Lock()

    def take(self) -> int:
        """The next number."""
        with self._lock:
            self._next += 1
            return self._next - 1

    def skip_to(self, number: int) -> None:
        """Let the next number be `number` at least."""
        with self._lock:
            self._next = max(self._next, number)

    @property
    def next(self) -> int:
        """The number that `take` will return."""
        return self._next
