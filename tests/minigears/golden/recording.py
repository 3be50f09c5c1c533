"""Exchanges recorded from RedisGears 1.2.13, and when a reply counts as the same.

A reply is parsed into a tree: `(kind, value)` with the kind one of `+ - : $ *`; a nil has the value
None. What may differ from run to run is settled by the mode that each exchange names.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).with_name("gears-golden.jsonl")

_ID = re.compile(rb"0{40}-\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{40}\b")
_SHARD = b"0" * 40
_MASK = b"<PATH>"

Tree = tuple[str, Any]


@dataclass(frozen=True)
class Exchange:
    """One recorded command and its reply."""

    n: int
    section: str
    send: list[bytes]
    reply: bytes
    compare: str

    @property
    def only_reads(self) -> bool:
        """Whether it may be sent again, to wait until the reply is as recorded."""
        name = self.send[0].upper().decode()
        reads = ("KEYS", "XLEN", "XRANGE", "LRANGE", "RG.PYDUMP", "RG.DUMP", "RG.GET")
        return name.startswith(reads)

    def __str__(self) -> str:
        return f"{self.n} {b' '.join(self.send)[:200]!r}"


def load() -> list[Exchange]:
    """All of them, in order."""
    lines = RECORDING.read_text().splitlines()
    return [_exchange(number, json.loads(line)) for number, line in enumerate(lines)]


def _exchange(number: int, row: dict[str, Any]) -> Exchange:
    send = [word.encode("latin-1" if _is_latin(word) else "utf-8") for word in row["send"]]
    return Exchange(number, row["section"], send, row["reply"].encode("latin-1"), row["compare"])


def _is_latin(word: str) -> bool:
    """Words that are no text were recorded as Latin-1; of those there are the ones with a NUL."""
    return "\0" in word


class Ids:
    """Recorded ids, hashes and UUIDs, and what stands for each in this run."""

    def __init__(self) -> None:
        self._ours: dict[bytes, bytes] = {_SHARD: _SHARD}

    def learn(self, exchange: Exchange, got: bytes) -> None:
        """Pair what is new in a recorded reply with what stands at the same place here."""
        theirs = _ids_in(exchange, parse(exchange.reply))
        ours = _ids_in(exchange, parse(got))
        if len(theirs) == len(ours):
            for old, new in zip(theirs, ours, strict=True):
                self._ours.setdefault(old, new)

    def put(self, text: bytes) -> bytes:
        """`text` with this run's ids; one that no earlier exchange gave becomes `<id>`."""
        return _ID.sub(lambda found: self._ours.get(found[0], b"<id>"), text)

    def known(self, text: bytes) -> bytes:
        """`text` of this run, with `<id>` for what no exchange gave."""
        ours = set(self._ours.values())
        return _ID.sub(lambda found: found[0] if found[0] in ours else b"<id>", text)


def _ids_in(exchange: Exchange, tree: Tree) -> list[bytes]:
    """Ids in the order of a reply; registrations are listed in any order, so the oldest first."""
    if exchange.send[0].upper() == b"RG.DUMPREGISTRATIONS" and tree[0] == "*":
        tree = ("*", sorted(tree[1], key=lambda item: int(item[1][1][1].rpartition(b"-")[2])))
    return [found for leaf in _leaves(tree) for found in _ID.findall(leaf)]


def _leaves(tree: Tree) -> list[bytes]:
    kind, value = tree
    if kind == "*":
        return [leaf for item in value for leaf in _leaves(item)]
    return [value] if isinstance(value, bytes) else []


def _mapped(tree: Tree, change: Callable[[bytes], bytes]) -> Tree:
    kind, value = tree
    if kind == "*":
        return kind, [_mapped(item, change) for item in value]
    return kind, change(value) if isinstance(value, bytes) else value


def parse(raw: bytes) -> Tree:
    """The reply as a tree."""
    tree, rest = _parse(raw)
    assert not rest, rest
    return tree


def _parse(raw: bytes) -> tuple[Tree, bytes]:
    line, _, rest = raw.partition(b"\r\n")
    kind, text = chr(line[0]), line[1:]
    if kind == ":":
        return (kind, int(text)), rest
    if kind == "$":
        size = int(text)
        if _MASK in rest[: size + 2]:  # the mask stands for a longer text
            size = rest.index(b"\r\n")
        return ((kind, None), rest) if size < 0 else ((kind, rest[:size]), rest[size + 2 :])
    if kind == "*":
        items = []
        for _ in range(int(text)):
            item, rest = _parse(rest)
            items.append(item)
        return (kind, items), rest
    return (kind, text), rest


def same(exchange: Exchange, got: bytes, ids: Ids) -> bool:
    """Whether `got` is what was recorded, as far as the exchange's mode goes."""
    if exchange.compare == "exact":
        return got == exchange.reply
    ours, theirs = _mapped(parse(got), ids.known), _mapped(parse(exchange.reply), ids.put)
    if exchange.compare == "shape":
        return bool(_shape(exchange, ours) == _shape(exchange, theirs))
    if exchange.compare == "traceback":
        return bool(_with_last_lines(ours) == _with_last_lines(theirs))
    if exchange.compare == "python-literal":
        return bool(_literals(ours) == _literals(theirs))
    assert exchange.compare in ("unordered", "ids")
    return bool(_any_order(_literals(ours)) == _any_order(_literals(theirs)))


def _any_order(tree: Tree) -> Any:
    """Redis lists keys in an order that differs from run to run, RedisGears a dict's fields."""
    kind, value = tree
    if isinstance(value, dict):
        return kind, _sorted_fields(value)
    if kind != "*":
        return tree
    return kind, sorted(map(repr, map(_any_order, value)))


def _sorted_fields(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, repr(_sorted_fields(field))) for name, field in value.items())
    return value


def _literals(tree: Tree) -> Any:
    kind, value = tree
    if kind == "*":
        return kind, [_literals(item) for item in value]
    if kind == "$" and value is not None:
        try:
            return kind, ast.literal_eval(value.decode())
        except (ValueError, SyntaxError):
            pass
        try:
            # bytearray(b'…') is a literal in RedisGears's eyes
            return kind, eval(value.decode(), {"__builtins__": {}, "bytearray": bytearray})
        except Exception:
            return tree
    return tree


_HINT = re.compile(r"\. Did you (?:mean|forget)\b.*\?$", re.MULTILINE)
"""What Python says besides from 3.12 on; RedisGears's own Python was 3.7."""


def _with_last_lines(tree: Tree) -> Any:
    """Errors as (first line, last line): frames may differ."""
    kind, value = tree
    if kind == "*":
        return kind, [_with_last_lines(item) for item in value]
    if isinstance(value, bytes) and value.startswith(b"['Traceback"):
        lines = ast.literal_eval(value.decode())
        return kind, (lines[0], _HINT.sub("", lines[-1]))
    return tree


def _shape(exchange: Exchange, tree: Tree) -> Any:
    """Field names and types. Lists of alike things come in any order, logs in any number."""
    shape = _shape_of(tree)
    if exchange.send[0].upper() == b"RG.DUMPEXECUTIONS":
        return shape[0], {one for one, _ in shape[1]}
    return shape


def _shape_of(tree: Tree) -> Any:
    kind, value = tree
    if kind != "*":
        return (kind, value) if kind in "+-" else kind
    if _is_record(value):
        pairs = zip(value[::2], value[1::2], strict=True)
        return kind, tuple((name[1], _field(name[1], field)) for name, field in pairs)
    alike = [_shape_of(item) for item in value]
    if value and value[0][0] == "*":
        return kind, tuple(sorted(Counter(alike).items(), key=repr))
    return kind, tuple(sorted(set(alike), key=repr))


def _field(name: bytes, tree: Tree) -> Any:
    if name in (b"lastError", b"arg"):
        return "$"
    return _shape_of(tree)


def _is_record(items: list[Tree]) -> bool:
    """Whether a list is names and values in turn."""
    names = items[::2]
    return (
        len(items) % 2 == 0
        and bool(items)
        and all(k == "$" and v is not None and re.fullmatch(rb"[A-Za-z_]+", v) for k, v in names)
        and not all(k == "$" and v is not None and len(items) > 4 for k, v in items)
    )
