"""What the checks of notebook 14 say about pieces that are nearly right, before the suite is asked."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import bson
import pytest
from pymongo import DeleteOne, ReplaceOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, PyMongoError

import lab
from lab.checks.notebooks import nb14
from lab.checks.own_recipe import suite
from lab.checks.own_recipe.suite import right
from lab.course.twelve import Judged, Twelve
from lab.stack.model import Stack

RIGHT = right()


@pytest.fixture(autouse=True)
def no_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """These answers are found out before; one that gets so far is right."""
    monkeypatch.setattr(suite.twelve, "judge_pieces", lambda *_: Twelve((), "not judged here"))


def refused(id: str, told: str, *answers: Any) -> None:
    verdict = lab.check(id, *answers)
    assert not verdict
    assert told in verdict.message, verdict.message


def scripted(*gone: str) -> Any:
    """The right script without some of its lines."""
    text = "\n".join(
        line for line in RIGHT["CAPTURE"].splitlines() if not any(part in line for part in gone)
    )

    def change(r: Any, queue: str, key: str, command: list[str], cap: int, once: str) -> None:
        r.eval(text, 3, key, queue, once, cap, *command)

    return change


def queues_first(r: Any, queue: str, key: str, command: list[str], cap: int, once: str) -> None:
    doc = command[2] if command[0] == "JSON.SET" else "null"
    r.xadd(queue, {"key": key, "doc": doc})
    r.execute_command(command[0], key, *command[1:])


def queues_the_command(r: Any, queue: str, key: str, command: list[str], *_: Any) -> None:
    doc = command[2] if len(command) > 2 else "null"
    r.execute_command(command[0], key, *command[1:])
    r.xadd(queue, {"key": key, "doc": doc})


def changes_then_asks(
    r: Any, queue: str, key: str, command: list[str], cap: int, once: str
) -> None:
    text = RIGHT["CAPTURE"].splitlines()
    first = next(n for n, line in enumerate(text) if "XLEN" in line)
    moved = [*text[:first], *text[first + 3 : first + 4], *text[first : first + 3]]
    r.eval("\n".join([*moved, *text[first + 4 :]]), 3, key, queue, once, cap, *command)


naive: dict[str, Any] = {"json": json, "DeleteOne": DeleteOne, "UpdateOne": UpdateOne}
for exercise in nb14.EXERCISES:
    exec(exercise.stub, naive)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (7, "not a function"),
        (lambda *_: None, "Redis has None"),
        (naive["change"], "An app that dies after its first request"),
        (queues_first, "the entry's `doc` is `null`"),
        (queues_the_command, "not the command"),
        (scripted("XLEN", "FULL", "end\n"), "your function raised"),
        (scripted("EXISTS"), "sent again under the same `once`"),
        (scripted("XADD"), "0 new entries"),
        (changes_then_asks, "ask first, then change"),
    ],
)
def test_a_capture_that_is_nearly_one(stack: Stack, change: Any, told: str) -> None:
    refused("14-1", told, change)


def reads_new_only(r: Any, queue: str) -> list[Any]:
    reply = r.xreadgroup("workers", "one", {queue: ">"}, count=500)
    return [entry for _, entries in reply for entry in entries]


def only_acknowledges(r: Any, queue: str, entries: list[Any]) -> None:
    r.xack(queue, "workers", *[entry_id for entry_id, _ in entries])


def only_deletes(r: Any, queue: str, entries: list[Any]) -> None:
    r.xdel(queue, *[entry_id for entry_id, _ in entries])


def reads_pending_only(r: Any, queue: str) -> list[Any]:
    return RIGHT["read"](r, queue) if r.xlen(queue) != 1 else []


@pytest.mark.parametrize(
    ("read", "acknowledge", "told"),
    [
        (naive["read"], naive["acknowledge"], "If the worker dies now, nobody has them"),
        (lambda r, queue: None, RIGHT["acknowledge"], "not a list of pairs"),
        (lambda r, queue: [], RIGHT["acknowledge"], "returned 0 of them"),
        (reads_new_only, RIGHT["acknowledge"], "`>` gives what nobody had"),
        (RIGHT["read"], naive["acknowledge"], "entries are left"),
        (RIGHT["read"], only_acknowledges, "entries are left"),
        (RIGHT["read"], only_deletes, "entries are left"),
        (reads_pending_only, RIGHT["acknowledge"], "goes on with what is new"),
    ],
)
def test_a_reader_that_loses(stack: Stack, read: Any, acknowledge: Any, told: str) -> None:
    refused("14-2", told, read, acknowledge)


def replacing(version: Any, tombstone: bool = True) -> Any:
    def operation(entry_id: str, entry: dict[str, str]) -> Any:
        document = json.loads(entry["doc"])
        if document is None and not tombstone:
            return DeleteOne({"_id": entry["key"]})
        number = version(entry_id, entry)
        older = {"_id": entry["key"], "_v": {"$not": {"$gte": number}}}
        document = {"_deleted": True} if document is None else document
        return ReplaceOne(older, document | {"_v": number}, upsert=True)

    return operation


def filled(entry_id: str, entry: dict[str, str] | None = None) -> str:
    said = (entry or {}).get("version", entry_id)
    return "-".join(part.zfill(20) for part in said.split("-"))


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (lambda entry_id, entry: entry, "not an operation of PyMongo"),
        (naive["operation"], "`$set` sets, and takes nothing away"),
        (replacing(lambda entry_id, entry: entry_id), "As text, 9 is greater than 10"),
        (replacing(lambda i, _: int(i.split("-")[0])), "The counter behind the dash"),
        (replacing(filled, tombstone=False), "A delete leaves a tombstone"),
        (replacing(lambda entry_id, entry: filled(entry_id)), "A replay has a new id"),
        (
            lambda i, e: ReplaceOne(
                {"_id": e["key"]}, json.loads(e["doc"]) or {"_deleted": 1}, True
            ),
            "The last to arrive has won",
        ),
    ],
)
def test_an_operation_that_undoes(stack: Stack, operation: Any, told: str) -> None:
    refused("14-3", told, operation)


def writer(keep: Any = None, journal: bool = True, fence: str = "_id_", caught: Any = ()) -> Any:
    """The right `write`, but for one thing."""

    def write(reviews: Any, entries: list[Any]) -> list[Any]:
        last = keep(entries) if keep else list({e["key"]: (i, e) for i, e in entries}.values())
        sent, refused = [], []
        for entry_id, entry in last:
            try:
                bson.encode(json.loads(entry["doc"]) or {})
                sent.append((entry_id, entry))
            except Exception as error:
                refused.append((entry_id, entry, error))
        safe = reviews.with_options(write_concern=WriteConcern(w="majority", j=True))
        try:
            operations = [RIGHT["operation"](*one) for one in sent]
            if operations:
                (safe if journal else reviews).bulk_write(operations, ordered=False)
        except BulkWriteError as failed:
            for error in failed.details["writeErrors"]:
                if fence not in error["errmsg"]:
                    refused.append((*sent[error["index"]], error["errmsg"]))
        except caught:
            return []
        return refused

    return write


def newest(entries: list[Any]) -> list[Any]:
    ordered = sorted(entries, key=lambda one: filled(*one))
    return list({entry["key"]: (entry_id, entry) for entry_id, entry in ordered}.values())


def whole(reviews: Any, entries: list[Any]) -> list[Any]:
    safe = reviews.with_options(write_concern=WriteConcern(w="majority", j=True))
    if entries:
        with contextlib.suppress(BulkWriteError):
            safe.bulk_write([RIGHT["operation"](*one) for one in newest(entries)], ordered=False)
    return []


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (naive["write"], "returned nothing"),
        (lambda reviews, entries: [1], "not a list of (entry_id, entry, error)"),
        (lambda reviews, entries: [], "MongoDB holds {}"),
        (writer(), "The version decides, not the place"),
        (writer(keep=list), "MongoDB was sent 1001 documents"),
        (writer(keep=newest, journal=False), "before its journal has it"),
        (writer(keep=newest, fence="never"), "a newer one is there, all is well"),
        (whole, "For a batch with poison in it your function raised"),
        (writer(keep=newest, fence="E11000"), "breaks a unique index"),
        (writer(keep=newest, caught=PyMongoError), "An outage is no entry's fault"),
    ],
)
def test_a_write_that_is_nearly_one(stack: Stack, write: Any, told: str) -> None:
    refused("14-4", told, write)


def test_what_the_suite_has_seen_is_told_with_its_property(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Twelve((Judged(2, "Acknowledge after commit", "…", False, "1 of 1 are missing"),))
    monkeypatch.setattr(suite.twelve, "judge_pieces", lambda *_: seen)
    told = "2, Acknowledge after commit: 1 of 1 are missing"
    refused("14-2", told, RIGHT["read"], RIGHT["acknowledge"])
