"""What waits in a stream, and what a batch of it comes to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.documents import decode
from ..core.errors import Refused
from ..core.names import stream_id_of, version_of
from ..databases.sink import Change

_VERSION = re.compile(r"\d{20}-\d{20}")


@dataclass(frozen=True)
class Entry:
    """One captured write. `text` is the whole document as JSON, or empty for a delete."""

    stream_id: str
    key: str
    text: str
    version: str
    size: int
    problem: str = ""

    @property
    def captured_as(self) -> str:
        """The id under which Redis took the write: another than its own, once it was replayed."""
        told = _VERSION.fullmatch(self.version)  # else a stranger said it
        return stream_id_of(self.version) if told else self.stream_id

    @property
    def milliseconds(self) -> int:
        """When Redis took the write, since 1970."""
        return int(self.stream_id.partition("-")[0])


def parse(stream_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry as Redis gives it. One that nobody of ours wrote gets a `problem`, never an error."""
    at = stream_id.decode()
    key, text = fields.get(b"key"), fields.get(b"doc")
    if key is None or text is None:
        shown = repr(dict(fields))
        return Entry(at, "", shown, version_of(at), 0, "the entry has no key or no doc")
    version = fields[b"version"].decode() if b"version" in fields else version_of(at)
    return entry_of(at, version, key, text)


def entry_of(at: str, version: str, key: bytes, text: bytes) -> Entry:
    """An entry from its bytes, whichever log it comes from. Not UTF-8: it gets a `problem`."""
    size = len(key) + len(text)
    try:
        return Entry(at, key.decode(), text.decode(), version, size)
    except UnicodeDecodeError as error:
        told = f"the entry is not UTF-8: {error}"
        return Entry(
            at, key.decode(errors="replace"), text.decode(errors="replace"), version, size, told
        )


@dataclass
class Batch:
    """Property 6: coalescing. The last entry of each key, and those that it supersedes.

    Superseded entries are acknowledged with the one that superseded them, after the commit.
    """

    last: dict[str, Entry] = field(default_factory=dict)
    superseded: list[Entry] = field(default_factory=list)
    broken: list[Entry] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Batch:
        """Coalesce entries."""
        batch = cls()
        for entry in entries:
            before = batch.last.get(entry.key)
            if entry.problem:
                batch.broken.append(entry)
            elif before is None:
                batch.last[entry.key] = entry
            else:
                older, newer = sorted((before, entry), key=lambda e: e.version)
                batch.last[entry.key] = newer
                batch.superseded.append(older)
        return batch


def change_of(entry: Entry) -> Change | str:
    """What the database is to do for an entry, or why it cannot."""
    if not entry.text:
        return Change(entry.key, None, entry.version)
    try:
        document: Any = decode(entry.text)
    except Refused as error:
        return str(error)
    if not isinstance(document, dict):
        return f"a document is a JSON object, not {type(document).__name__}"
    return Change(entry.key, document, entry.version, entry.text)
