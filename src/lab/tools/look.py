"""How redis-cli reads a line and shows a reply."""

from __future__ import annotations

from lab.tools.replies import Failure, Reply, SimpleString

_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}
_SHOWN = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b"}


def formatted(reply: Reply, *, ascii_only: bool = True, prefix: str = "") -> str:
    """Return a reply as redis-cli shows it in a terminal.

    `ascii_only` writes other characters as bytes (`\\xc3\\xa9`), as the original does; without it
    text in UTF-8 stays readable.
    """
    if reply is None:
        return "(nil)"
    if isinstance(reply, SimpleString):
        return reply.text
    if isinstance(reply, Failure):
        return f"(error) {reply.text}"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, bytes):
        return quoted(reply, ascii_only=ascii_only)
    if not reply:
        return "(empty array)"
    width = len(str(len(reply)))
    inner = prefix + " " * (width + 2)
    lines = []
    for number, item in enumerate(reply, start=1):
        start = "" if number == 1 else prefix
        shown = formatted(item, ascii_only=ascii_only, prefix=inner)
        lines.append(f"{start}{number:>{width}}) {shown}")
    return "\n".join(lines)


def raw(reply: Reply) -> bytes:
    """Return a reply as redis-cli writes it into a pipe: values only, one a line."""
    if reply is None:
        return b""
    if isinstance(reply, SimpleString):
        return reply.text.encode()
    if isinstance(reply, Failure):
        return reply.text.encode() + b"\n"  # as the original does, an empty line follows
    if isinstance(reply, int):
        return b"%d" % reply
    if isinstance(reply, bytes):
        return reply
    return b"\n".join(raw(item) for item in reply)


def quoted(value: bytes, *, ascii_only: bool = True) -> str:
    """Return a string in double quotes, with what cannot be printed escaped."""
    try:
        text = value.decode("latin-1" if ascii_only else "utf-8")
    except UnicodeDecodeError:
        return quoted(value)
    return '"' + "".join(_shown(character, ascii_only) for character in text) + '"'


def _shown(character: str, ascii_only: bool) -> str:
    if character in _SHOWN:
        return _SHOWN[character]
    plain = " " <= character <= "~" if ascii_only else character.isprintable()
    if plain:
        return character
    return "".join(
        f"\\x{byte:02x}" for byte in character.encode("latin-1" if ascii_only else "utf-8")
    )


def split_line(line: str) -> list[bytes]:
    """Split a line into words by redis-cli's rules.

    In double quotes `\\n`, `\\x41` and their like are escapes, in single quotes only `\\'` is.
    Raises ValueError for quotes that do not match.
    """
    words: list[bytes] = []
    rest = line.strip()
    while rest:
        word, rest = _word(rest)
        words.append(word)
        rest = rest.lstrip()
    return words


def _word(text: str) -> tuple[bytes, str]:
    """Take one word off the front of a text that begins with no space."""
    word = b""
    while text and not text[0].isspace():
        if text[0] in "\"'":
            part, text = _quoted_part(text[0], text[1:])
            word += part
            if text and not text[0].isspace():
                raise ValueError("a closing quote must be followed by a space")
        else:
            word, text = word + text[0].encode(), text[1:]
    return word, text


def _quoted_part(quote: str, text: str) -> tuple[bytes, str]:
    """Take what stands before the closing quote; return it and what follows the quote."""
    part = b""
    while text:
        if text[0] == quote:
            return part, text[1:]
        if text[0] == "\\" and len(text) > 1:
            taken, text = _escape(quote, text[1:])
            part += taken
        else:
            part, text = part + text[0].encode(), text[1:]
    raise ValueError("a quote is not closed")


def _escape(quote: str, text: str) -> tuple[bytes, str]:
    """Read what follows a backslash inside quotes."""
    if quote == "'":
        return (b"'", text[1:]) if text[0] == "'" else (b"\\", text)
    if text[0] == "x" and len(text) > 2:
        try:
            return bytes.fromhex(text[1:3]), text[3:]
        except ValueError:
            pass
    return _ESCAPES.get(text[0], text[0].encode()), text[1:]
