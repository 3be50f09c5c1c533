"""What a document may be. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from .errors import Refused

RESERVED = frozenset({"_id", "_v", "_deleted", "_at"})
"""Fields that the databases' side needs for itself: key, version, tombstone and its time."""

MOST_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""What fits into one document of MongoDB, with room for the fields above."""

LEAST, MOST = -(2**63), 2**63 - 1

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def check_key(key: str) -> None:
    """Raises Refused for a key that no database could hold."""
    if isinstance(key, str) and key.isascii() and 0 < len(key) <= 1000 and "\0" not in key:
        return  # nearly all
    if not isinstance(key, str):
        raise Refused(f"a key is text, not {type(key).__name__}: {key!r}")
    try:
        encoded = key.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"a key has to be valid Unicode: {key!r}") from error
    if not encoded or len(encoded) > 1000 or b"\0" in encoded:
        raise Refused(f"a key has 1 to 1000 bytes and no NUL: {key[:50]!r}")


def encode(document: Any) -> str:
    """A document as JSON. Raises Refused, before anything is sent, for what no database would take."""
    text = document if isinstance(document, str) else None
    if isinstance(document, (str, bytes)):
        document = decode(document)
    if problem := _bad_shape(document):
        raise Refused(problem)
    if text is None or "\\u" in text:  # escaped, half a character would pass as text
        text = encode_value(document)
    elif problem := _bad_number(document):
        raise Refused(problem)
    if (size := _size(text)) > MOST_BYTES:
        raise Refused(f"the document has {size:,} bytes, and {MOST_BYTES:,} fit")
    return text


def encode_value(value: Any) -> str:
    """What may stand somewhere in a document, as JSON. Raises Refused."""
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the document is not JSON: {error}") from error
    if problem := _bad_number(value):  # now it is known to have an end
        raise Refused(problem)
    _size(text)
    return text


def _size(text: str) -> int:
    """Its bytes. Raises Refused for half a character."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Refused(f"the document is not JSON: {error}") from error


def decode(text: str | bytes) -> Any:
    """JSON as Python values. Raises Refused."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the document is not JSON: {error}") from error


def complaint(document: Any) -> str:
    """Why no database would take this document, or nothing."""
    return _bad_shape(document) or _bad_number(document)


def _bad_shape(document: Any) -> str:
    if not isinstance(document, dict):
        return f"a document is a JSON object, not {type(document).__name__}"
    if taken := RESERVED & document.keys():
        return f"the fields {', '.join(sorted(taken))} are the database's own"
    return ""


def _bad_number(value: Any) -> str:
    """What is wrong with a number in a value that has no end of itself in it, or nothing."""
    nests: list[Iterable[Any]] = [[value]]
    for nest in nests:  # grows as it goes
        for inner in nest:
            kind = type(inner)
            if kind is str:
                continue
            if isinstance(inner, dict):
                nests.append(inner.values())
            elif isinstance(inner, (list, tuple)):
                nests.append(inner)
            elif isinstance(inner, int):
                if not LEAST <= inner <= MOST:
                    return f"{inner} is an integer over 64 bits"
            elif isinstance(inner, float) and not isfinite(inner):
                return f"{inner} is no number in JSON"
    return ""


def etag_of(text: str | None) -> str:
    """What stands for a document's present state. The Lua library computes the same."""
    return "absent" if text is None else hashlib.sha1(text.encode()).hexdigest()
