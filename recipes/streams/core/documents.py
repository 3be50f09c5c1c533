"""What a document may be. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .errors import Refused

RESERVED = frozenset({"_id", "_v", "_deleted", "_at"})
"""Fields that the databases' side needs for itself: key, version, tombstone and its time."""

MOST_BYTES = 16 * 1024 * 1024 - 64 * 1024
"""What fits into one document of MongoDB, with room for the fields above."""

_INTEGERS = range(-(2**63), 2**63)


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
    if isinstance(document, (str, bytes)):
        document = decode(document)
    if problem := complaint(document):
        raise Refused(problem)
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise Refused(f"the document is not JSON: {error}") from error
    if size > MOST_BYTES:
        raise Refused(f"the document has {size:,} bytes, and {MOST_BYTES:,} fit")
    return text


def decode(text: str | bytes) -> Any:
    """JSON as Python values. Raises Refused."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the document is not JSON: {error}") from error


def complaint(document: Any) -> str:
    """Why no database would take this document, or nothing."""
    if not isinstance(document, dict):
        return f"a document is a JSON object, not {type(document).__name__}"
    if taken := RESERVED & document.keys():
        return f"the fields {', '.join(sorted(taken))} are the database's own"
    return _bad_number(document)


def _bad_number(value: Any) -> str:
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value not in _INTEGERS:
            return f"{value} is an integer over 64 bits"
    return ""


def etag_of(text: str | None) -> str:
    """What stands for a document's present state. The Lua library computes the same."""
    return "absent" if text is None else hashlib.sha1(text.encode()).hexdigest()
