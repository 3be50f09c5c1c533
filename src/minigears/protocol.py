"""RESP without a socket: commands and replies as bytes. What clients send is split by `door/commands/parser.py`.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis

Command = list[bytes]


class ProtocolError(Exception):
    """What the client sent is not RESP; the message is what Redis says."""


def encode_command(words: Iterable[bytes | str | int | float]) -> bytes:
    """A command as clients send it."""
    # Its stub knows 1-tuples only.
    return hiredis.pack_command(tuple(words))  # type: ignore[arg-type,no-any-return]


def encode_words(words: Iterable[bytes]) -> bytes:
    """Words as they stand in a command."""
    return encode_command(words).partition(b"\r\n")[2]


def encode_error(message: str) -> bytes:
    """An error reply; line breaks would end it early, so they become spaces."""
    return b"-" + re.sub(r"[\r\n]+", " ", message).encode() + b"\r\n"


def with_section(reply: bytes, section: bytes) -> bytes:
    """Redis's reply to `INFO` (a bulk or a verbatim string) with one more section.

    An error, or `QUEUED` inside MULTI, stays as it is.
    """
    kind, rest = reply[:1], reply.partition(b"\r\n")[2]
    if kind not in (b"$", b"="):
        return reply
    text = rest.removesuffix(b"\r\n")
    text += (b"" if text in (b"", b"txt:") else b"\r\n") + section
    return b"%s%d\r\n%s\r\n" % (kind, len(text), text)


def encode_reply(reply: Sequence[Any] | bytes | int) -> bytes:
    """Arrays, strings and numbers as a reply, alike in RESP2 and RESP3."""
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"*%d\r\n" % len(reply) + b"".join(map(encode_reply, reply))


def array_elements(raw: bytes) -> list[bytes] | None:
    """The elements of an array that is there in whole, each as raw bytes; None if it is no array."""
    if not raw.startswith(b"*") or raw.startswith(b"*-"):
        return None
    at = raw.index(b"\r\n") + 2
    elements = []
    for _ in range(int(raw[1 : at - 2])):
        end = _end_of_value(raw, at)
        elements.append(raw[at:end])
        at = end
    return elements


def _end_of_value(raw: bytes, at: int) -> int:
    """Where the value ends that begins at `at`, in RESP2 or RESP3."""
    left = 1
    while left:
        line_end = raw.index(b"\r\n", at)
        kind, rest = raw[at : at + 1], raw[at + 1 : line_end]
        at = line_end + 2
        left -= 1
        if kind in (b"$", b"!", b"="):
            at += int(rest) + 2 if int(rest) >= 0 else 0
        elif kind in (b"*", b"~", b">"):
            left += max(int(rest), 0)
        elif kind in (b"%", b"|"):
            left += 2 * int(rest) + (kind == b"|")
    return at
