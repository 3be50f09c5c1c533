"""Splits what clients send into commands. No socket.

Parsing is hiredis's; what this module adds is what a relay needs on top of it: inline commands,
where in the raw bytes a command ends, and the limits that Redis itself sets.
Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import hiredis

from minigears.door.commands.inline import split_inline
from minigears.protocol import Command, ProtocolError, encode_command

MAX_WORDS = 1024 * 1024
"""Words in one command; Redis refuses more."""

MAX_BULK = 512 * 1024 * 1024
"""Bytes in one word; Redis's default `proto-max-bulk-len`."""

MAX_INLINE = 64 * 1024
"""Bytes in an inline command."""

_SMALL = 256
"""Bytes of a small piece of a command, and how many of them are joined."""

_MORE = object()
_LARGE_COUNT = re.compile(rb"\*\d{7}")


class RequestParser:
    """Splits the byte stream of one client into commands.

    `raw` holds, after each `feed`, the bytes of exactly the commands that it returned, so that they
    can be relayed as they came.
    """

    def __init__(self, max_bulk: int = MAX_BULK):
        self.raw: bytes = b""
        self._max_bulk = max_bulk
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._held: list[bytes] = []
        self._held_length = 0
        self._small = 0
        """How many of the last pieces held are small."""
        self._walker: _HeaderWalker | None = None
        self.error: ProtocolError | None = None
        """Why nothing more can be read, once that is so."""

    @property
    def held(self) -> int:
        """Bytes of a command that has arrived in part."""
        return self._held_length

    def feed(self, data: bytes) -> list[Command]:
        """Commands that are complete once `data` has arrived.

        Their words are bytes if the client keeps to the protocol; if it does not, whoever looks at
        them decides, and Redis refuses the raw bytes.

        Raises:
            ProtocolError: the stream makes no sense from here on; commands before that place were
                returned by this call or an earlier one.
        """
        if self.error:
            raise self.error
        try:
            return self._feed_lines(data) if self._inline(data) else self._feed_resp(data)
        except ProtocolError as error:
            self.error = error
            raise

    def _feed_resp(self, data: bytes) -> list[Command]:
        self._guard(data)
        commands: list[Command] = []
        try:
            self._reader.feed(data)
            commands.extend(iter(self._reader.gets, _MORE))  # keeps what came before an error
        except (hiredis.ProtocolError, MemoryError, TypeError) as error:  # an array as a map's key
            self._behind(commands, data, f"Protocol error: {error}")
        else:
            self._advance(commands, data)
        return commands if all(commands) else [command for command in commands if command]

    def _behind(self, commands: list[Command], data: bytes, message: str) -> None:
        """Add the inline commands behind `commands`, if it is one that hiredis did not understand."""
        if not commands:
            raise ProtocolError(message)
        self._advance(commands, data)
        rest = b"".join(self._held)
        if self.error or rest.startswith(b"*"):
            self._fail(message, commands)
            return
        raw, self._walker = self.raw, None
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._keep(b"")
        try:
            commands += self._feed_lines(rest)
        except ProtocolError as error:
            self._fail(str(error), commands)
            self.raw = b""
        self.raw = raw + self.raw

    def _inline(self, data: bytes) -> bool:
        first = self._held[0] if self._held else data
        return not first.startswith(b"*")

    def _fail(self, message: str, done: list[Command]) -> None:
        self.error = ProtocolError(message)
        if not done:
            raise self.error

    def _advance(self, commands: list[Command], data: bytes) -> None:
        """Work out `raw`, and keep what belongs to a command that is not complete."""
        if not commands:
            self.raw = b""
            self._hold(data)
            if self._held_length > self._max_bulk + MAX_INLINE:
                self._fail("Protocol error: invalid bulk length", commands)
            return
        try:
            consumed = sum(map(wire_length, commands))
        except TypeError:  # a reply, or a command within a command
            del commands[_first_bad(commands) :]
            consumed = sum(map(wire_length, commands))
            self._fail("Protocol error: expected '$'", commands)
        rest = self._held_length + len(data) - consumed
        if not self._held and not rest:
            self.raw = data
            return
        self._held.append(data)
        whole = b"".join(self._held)
        self.raw = whole[:consumed]
        self._keep(whole[consumed:])

    def _hold(self, data: bytes) -> None:
        """Keep a piece; many small ones, each an object of its own, become one."""
        self._held.append(data)
        self._held_length += len(data)
        self._small = self._small + 1 if len(data) < _SMALL else 0
        if self._small == _SMALL:
            self._held[-_SMALL:] = [b"".join(self._held[-_SMALL:])]
            self._small = 0

    def _guard(self, data: bytes) -> None:
        """Refuse what would make hiredis allocate gigabytes, counts and nesting, before it does."""
        if self._walker is None:
            if not self._suspicious(data):
                return
            self._walker = _HeaderWalker(self._max_bulk)
            for chunk in self._held:
                self._walker.feed(chunk)
        if self._walker.feed(data):
            self._walker = None

    def _suspicious(self, data: bytes) -> bool:
        if self._held:  # it may be cut anywhere
            data = b"".join([piece[-16:] for piece in self._held[-16:]]) + data
        return self._held_length > MAX_INLINE or _LARGE_COUNT.search(data) is not None

    def _feed_lines(self, data: bytes) -> list[Command]:
        """Inline commands, up to the first that is not one."""
        text = b"".join((*self._held, data))
        self._keep(b"")
        commands: list[Command] = []
        raw: list[bytes] = []
        at = 0
        try:
            while (end := text.find(b"\n", at)) >= 0 and not text.startswith(b"*", at):
                if words := split_inline(text[at:end]):
                    commands.append(words)
                    raw.append(encode_command(words))
                at = end + 1
            rest = text[at:]
            if rest.startswith(b"*"):
                commands += self._feed_resp(rest)
                raw.append(self.raw)
            elif len(rest) > MAX_INLINE:
                raise ProtocolError("Protocol error: too big inline request")
            else:
                self._keep(rest)
        except ProtocolError as error:
            self._fail(str(error), commands)
        self.raw = b"".join(raw)
        return commands

    def _keep(self, rest: bytes) -> None:
        self._held = [rest] if rest else []
        self._small = 0
        self._held_length = len(rest)


class _HeaderWalker:
    """Walks headers only, skipping words, and refuses what Redis refuses."""

    def __init__(self, max_bulk: int):
        self._max_bulk = max_bulk
        self._words = 0
        self._skip = 0
        self._line = b""

    def feed(self, data: bytes) -> bool:
        """Walk over `data`; true when it ends between two commands."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                if len(self._line) > MAX_INLINE:
                    raise ProtocolError("Protocol error: too big count string")
                break
            self._header(self._line + data[at:end])
            self._line = b""
            at = end + 1
        return not (self._words or self._skip or self._line)

    def _header(self, line: bytes) -> None:
        if self._words and not line.startswith(b"$"):
            raise ProtocolError("Protocol error: expected '$'")
        try:
            count = int(line[1:])
        except ValueError:
            return  # hiredis says what is wrong with it
        if self._words:
            if not 0 <= count <= self._max_bulk:
                raise ProtocolError("Protocol error: invalid bulk length")
            self._words -= 1
            self._skip = count + 2
        elif line.startswith(b"*"):
            if count > MAX_WORDS:
                raise ProtocolError("Protocol error: invalid multibulk length")
            self._words = max(count, 0)


def wire_length(command: Sequence[bytes]) -> int:
    """Bytes that a command takes in RESP.

    Raises:
        TypeError: it is not a list of words.
    """
    if command.__class__ is not list:
        raise TypeError("not an array")
    length = 4 if len(command) < 10 else len(str(len(command))) + 3
    for word in command:
        if word.__class__ is not bytes:
            raise TypeError("not a word")
        size = len(word)
        length += size + (6 if size < 10 else 7 if size < 100 else len(str(size)) + 5)
    return length


def _first_bad(commands: list[Command]) -> int:
    for at, command in enumerate(commands):
        if command.__class__ is not list or any(word.__class__ is not bytes for word in command):
            return at
    return len(commands)
