"""Inline commands, as somebody types them: words between spaces, with quotes as Redis takes them. Pure."""

from __future__ import annotations

import re

from minigears.protocol import Command, ProtocolError

_INLINE_WORD = re.compile(
    rb"""(?:[^\s"']|"(?:[^"\\]|\\.)*"(?=\s|$)|'(?:[^'\\]|\\'|\\(?!'))*'(?=\s|$))+""", re.DOTALL
)
"""A word is over where a quote closes; what follows it must be a space."""
_QUOTED = re.compile(rb"""(["'])(.*)\1$""", re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_inline(line: bytes) -> Command:
    """Words of an inline command, with Redis's quoting rules.

    Raises:
        ProtocolError: a quote is not closed.
    """
    if b'"' not in line and b"'" not in line:
        return line.split()
    words = []
    at = 0
    line = line.strip()
    while at < len(line):
        match = _INLINE_WORD.match(line, at)
        if match is None or line[match.end() : match.end() + 1].strip():
            raise ProtocolError("Protocol error: unbalanced quotes in request")
        words.append(_QUOTED.sub(_unquoted, match[0]))
        at = match.end()
        while at < len(line) and line[at : at + 1].isspace():
            at += 1
    return words


def _unquoted(match: re.Match[bytes]) -> bytes:
    if match[1] == b'"':
        return _ESCAPE.sub(_escaped, match[2])
    return match[2].replace(b"\\'", b"'")


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code[1:], 16)]) if len(code) == 3 else _LETTERS.get(code, code)
