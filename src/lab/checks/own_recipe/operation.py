"""Whether `operation` makes what comes late, twice or out of order harmless."""

from __future__ import annotations

from typing import Any

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from lab.checks.exercise import Answer, Wrong, ask
from lab.checks.own_recipe.suite import KEY, agrees, right


def _entry(text: str, **more: str) -> dict[str, str]:
    return {"key": KEY, "doc": text, **more}


_OLD = "00000000000000000004-00000000000000000000"
# Entries as they arrive, what MongoDB's readers see afterwards, and the misconception.
_ARRIVALS: tuple[tuple[str, list[tuple[str, dict[str, str]]], dict[str, Any] | None, str], ...] = (
    ("one review", [("5-0", _entry('{"stars": 4}'))], {"stars": 4}, "The document's `_id` is the entry's key."),
    ("two versions in order", [("5-0", _entry('{"stars": 4}')), ("6-0", _entry('{"stars": 5}'))], {"stars": 5},
     "The newer one replaces the older."),
    ("a field that is gone", [("5-0", _entry('{"stars": 4, "words": "x"}')), ("6-0", _entry('{"stars": 4}'))],
     {"stars": 4}, "`$set` sets, and takes nothing away: replace the document."),
    ("an older version that comes late", [("6-0", _entry('{"stars": 5}')), ("5-0", _entry('{"stars": 4}'))],
     {"stars": 5}, "The last to arrive has won, and it is not the newest. Only what is newer may replace."),
    ("9-0 after 10-0", [("10-0", _entry('{"stars": 5}')), ("9-0", _entry('{"stars": 4}'))], {"stars": 5},
     "As text, 9 is greater than 10: fill the numbers up with zeros."),
    ("two of one millisecond", [("5-10", _entry('{"stars": 5}')), ("5-9", _entry('{"stars": 4}'))], {"stars": 5},
     "The counter behind the dash is a number, too."),
    ("two of one millisecond, in order", [("5-9", _entry('{"stars": 4}')), ("5-10", _entry('{"stars": 5}'))],
     {"stars": 5}, "The counter behind the dash is a part of the version."),
    ("a delete", [("5-0", _entry('{"stars": 4}')), ("6-0", _entry("null"))], None,
     "A `doc` of `null` is a delete; what stays behind of it has `_deleted`."),
    ("a write that comes late, after the delete", [("6-0", _entry("null")), ("5-0", _entry('{"stars": 4}'))], None,
     "The review is back: with the document went its version. A delete leaves a tombstone, with a `_v`."),
    ("a new review after a delete", [("5-0", _entry("null")), ("6-0", _entry('{"stars": 1}'))], {"stars": 1},
     "The tombstone is older, and gives way."),
    ("a replayed entry, of version 4-0 and under a new id",
     [("5-0", _entry('{"stars": 5}')), ("7-0", _entry('{"stars": 4}', version=_OLD))],
     {"stars": 5}, "A replay has a new id. Its `version` says how old it is."),
)  # fmt: skip


def check(answer: Answer) -> str:
    """Judge `operation` by itself, then by properties 3, 4 and 10."""
    operation = answer.function("operation")
    collection = answer.stack.db["check_14"]
    try:
        for case, entries, wanted, why in _ARRIVALS:
            collection.drop()
            for entry_id, entry in entries:
                _apply(collection, ask(operation, entry_id, dict(entry), case=case), case)
            _judge_seen(collection, case, wanted, why)
    finally:
        collection.drop()
    pieces = right()
    pieces["operation"] = operation  # the solution's `write` finds it there
    return "Late, twice or out of order: the newest stays. " + agrees(
        {"write": pieces["write"]}, 3, 5, 10
    )


def _apply(collection: Collection[dict[str, Any]], one: Any, case: str) -> None:
    if not isinstance(one, (ReplaceOne, UpdateOne, DeleteOne)):
        raise Wrong(f"For {case} `operation` returned `{one!r}`, not an operation of PyMongo.")
    try:
        collection.bulk_write([one])
    except BulkWriteError as refused:
        if any(error["code"] != 11000 for error in refused.details["writeErrors"]):
            raise Wrong(
                f"For {case} MongoDB refuses it: {refused.details['writeErrors'][0]['errmsg']}"
            ) from None


def _judge_seen(collection: Collection[dict[str, Any]], case: str, wanted: Any, why: str) -> None:
    found = list(collection.find({"_deleted": None}, {"_v": False}))
    seen = {document.pop("_id"): document for document in found}
    if seen != ({} if wanted is None else {KEY: wanted}):
        raise Wrong(
            f"After {case} a reader of MongoDB sees {seen or 'nothing'}, not {wanted or 'nothing'}. {why}"
        )
