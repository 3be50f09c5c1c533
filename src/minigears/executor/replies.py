"""Replies of `RG.*` commands, and how a Python value becomes one.

A reply is built from int, bytes, str (both bulk strings), None (nil), lists, `SimpleString`, `Error` and `Double`.
`encode` writes it as RESP2 or RESP3 bytes; `to_python` gives what `execute` returns to user code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_INT64 = 2**63
_MAX_DEPTH = 100  # lists inside lists
NOT_A_REPLY = "PY RECORD"
"""What RedisGears sends for a value that has no form in RESP."""


class SimpleString(str):
    """A status reply such as OK."""

    __slots__ = ()


class Error(str):
    """An error reply, without the leading dash."""

    __slots__ = ()


class Double(float):
    """A number that need not be whole: a bulk string in RESP2."""

    __slots__ = ()

    def __str__(self) -> str:
        return repr(float(self)).removesuffix(".0")


class CommandError(Exception):
    """Raised by a command's function: `str()` is the error reply, with its code if it has one."""


OK = SimpleString("OK")


def encode(reply: Any, resp: int = 2) -> bytes:
    """`reply` as RESP bytes for a client that speaks version `resp` (2 or 3)."""
    out: list[bytes] = []
    _write(reply, out.append, resp)
    return b"".join(out)


def _write(reply: Any, write: Any, resp: int) -> None:
    if isinstance(reply, list):
        write(b"*%d\r\n" % len(reply))
        for item in reply:
            _write(item, write, resp)
    elif isinstance(reply, int):
        write(b":%d\r\n" % reply)
    elif isinstance(reply, SimpleString):
        write(b"+%s\r\n" % one_line(reply))
    elif isinstance(reply, Error):
        write(b"-%s\r\n" % one_line(reply))
    elif reply is None:
        write(b"_\r\n" if resp == 3 else b"$-1\r\n")
    elif isinstance(reply, Double) and resp == 3:
        write(b",%s\r\n" % str(reply).encode())
    elif isinstance(reply, Double):
        _write(str(reply), write, resp)
    else:
        data = _to_bytes(reply) if isinstance(reply, str) else bytes(reply)
        write(b"$%d\r\n%s\r\n" % (len(data), data))


def one_line(text: str) -> bytes:
    """Text of a status or an error, which must not hold the line ends that finish it."""
    return _to_bytes(text.replace("\r", " ").replace("\n", " "))


def _to_bytes(text: str) -> bytes:
    """UTF-8; what came from bytes that are none goes back as it was, other surrogates escaped."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def to_python(reply: Any) -> Any:
    """`reply` as `execute` returns it; raises CommandError for an `Error`."""
    if isinstance(reply, Error):
        raise CommandError(str(reply))
    if isinstance(reply, list):
        return [str(r) if isinstance(r, Error) else to_python(r) for r in reply]
    if isinstance(reply, Double):
        return str(reply)
    return to_text(reply) if isinstance(reply, bytes) else reply


def to_text(data: bytes) -> str | bytearray:
    """Bytes from Redis as user code sees them: text, or a bytearray where they are not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return bytearray(data)


def from_value(value: Any) -> Any:
    """The reply for one result of a function (`convertToStr` has already been applied)."""
    try:
        return _from_value(value, _MAX_DEPTH)
    except Exception:  # a class of the user's own that only looks like a string or a number
        return NOT_A_REPLY


def _from_value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        if len(value) > 1 and value[:1] == "+":
            return SimpleString(value[1:])
        if len(value) > 1 and value[:1] == "-":
            return Error(value[1:])
        return str.__str__(value)  # of a class of its own, perhaps
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, int):
        number = int(value)  # of a class of its own, such as an IntEnum, perhaps
        return number if -_INT64 <= number < _INT64 else str(number)
    if isinstance(value, float):
        return f"{value:f}"
    if isinstance(value, list) and depth:
        return [_from_value(item, depth - 1) for item in value]
    return NOT_A_REPLY


def results_and_errors(results: Iterable[Any], errors: Iterable[str]) -> list[list[Any]]:
    """The reply of a run: results, then the errors as text."""
    return [[from_value(value) for value in results], list(errors)]
