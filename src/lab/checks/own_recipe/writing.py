"""Whether `write` sends little, into the journal, and hands back what can never arrive."""

from __future__ import annotations

import json
from types import FunctionType
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from lab.checks.exercise import Answer, Wrong, ask
from lab.checks.overhearing import Requests, overheard
from lab.checks.own_recipe.suite import Function, agrees, right


def check(answer: Answer) -> str:
    """Judge `write` by itself, with the right `operation`, then by properties 2, 6 and 9."""
    write = _with_right_operation(answer.function("write"))
    with overheard(answer, "check_14") as (reviews, sent):
        _refused(write, reviews, [], "an empty batch")
        _judge_coalescing(write, reviews, sent)
        _judge_poison(write, reviews)
        _judge_outage(write)
    return "Few writes, in the journal, and nobody waits for what can never arrive. " + agrees(
        {"write": write}, 6, 9
    )


def _refused(write: Function, reviews: Any, entries: list[Any], case: str) -> set[str]:
    given = ask(write, reviews, list(entries), case=case)
    if given is None:
        raise Wrong(
            f"For {case} `write` returned nothing: a list of what is refused is wanted, which may be empty."
        )
    if not isinstance(given, list) or not all(
        isinstance(one, (tuple, list)) and len(one) == 3 and isinstance(one[1], dict)
        for one in given
    ):
        raise Wrong(
            f"For {case} `write` returned `{given!r}`, not a list of (entry_id, entry, error)."
        )
    return {entry["key"] for _, entry, _ in given}


def _judge_coalescing(write: Function, reviews: Any, sent: Requests) -> None:
    case = "1000 entries of 10 reviews"
    entries = [
        (f"{n + 1}-0", {"key": f"Review:{n % 10}", "doc": json.dumps({"n": n})})
        for n in range(1000)
    ]
    late = (
        "5-5",
        {"key": "Review:9", "doc": '{"n": "old"}'},
    )  # a replay: old, and last of the batch
    if refused := _refused(write, reviews, [*entries, late], case):
        raise Wrong(f"For {case} you refuse {sorted(refused)}, and MongoDB can take them all.")
    found = {document["_id"]: document.get("n") for document in reviews.find()}
    if found.get("Review:9") == "old":
        raise Wrong(
            f"For {case} an old entry at the end of the batch has won. The version decides, not the place."
        )
    if found != {f"Review:{n}": 990 + n for n in range(10)}:
        raise Wrong(f"After {case} MongoDB holds {found}: the last of each is wanted.")
    if sent.documents > 10:
        raise Wrong(
            f"For {case} MongoDB was sent {sent.documents} documents in {sent.requests} requests. Of each review it "
            "needs the newest only, and all of them in one `bulk_write`."
        )
    if not sent.journaled:
        raise Wrong(
            "MongoDB says yes before its journal has it, the entry is acknowledged, and a power cut takes both. "
            'Ask for more: `reviews.with_options(write_concern=WriteConcern(w="majority", j=True))`.'
        )
    if _refused(
        write,
        reviews,
        [("1-0", {"key": "Review:1", "doc": '{"n": 0}'})],
        "an entry that comes late",
    ):
        raise Wrong(
            "An old entry was refused by the fence, and you call that a fault: a newer one is there, all is well."
        )


def _judge_poison(write: Function, reviews: Any) -> None:
    reviews.create_index("imdb", unique=True, sparse=True)
    poison = {"text": '"O\'Brien"', "wide": json.dumps({"n": 2**64 - 1}), "twin": '{"imdb": "tt1"}'}
    good = {"first": '{"imdb": "tt1"}', "last": json.dumps({"words": "It's fine"})}
    documents = {"first": good["first"], **poison, "last": good["last"]}
    entries = [
        (f"{n}-0", {"key": f"Review:{name}", "doc": text})
        for n, (name, text) in enumerate(documents.items(), 2001)
    ]
    refused = _refused(write, reviews, entries, "a batch with poison in it")
    for name in good:
        if not reviews.find_one({"_id": f"Review:{name}"}):
            raise Wrong(
                f"A batch with poison in it: the good `{name}` is missing. One bad entry must not hold up the others."
            )
    for name, why in (
        ("text", "is JSON and no object"),
        ("wide", "has a number that BSON has no room for"),
        ("twin", "breaks a unique index"),
    ):
        if f"Review:{name}" not in refused:
            raise Wrong(
                f"A document that {why} is not among what you return as refused: it is lost without a word."
            )
    if refused != {f"Review:{name}" for name in poison}:
        raise Wrong(f"You refuse {sorted(refused)}; only {sorted(poison)} are poison.")


def _judge_outage(write: Function) -> None:
    away: MongoClient[dict[str, Any]] = MongoClient("127.0.0.1", 1, serverSelectionTimeoutMS=100)
    with away:

        def passes_it_on() -> bool:
            try:
                write(away["check"]["check_14"], [("1-0", {"key": "Review:1", "doc": "{}"})])
            except PyMongoError:
                return True
            return False

        if ask(passes_it_on, case="a MongoDB that does not answer"):
            return
    raise Wrong(
        "MongoDB does not answer, and `write` returns as if it had. An outage is no entry's fault: let the exception "
        "pass, and the loop tries again."
    )


def _with_right_operation(write: Function) -> Function:
    """The learner's `write` with the solution's `operation`: a fault is told where it is."""
    if not isinstance(write, FunctionType):
        return write
    names = {**write.__globals__, "operation": right()["operation"]}
    return FunctionType(
        write.__code__, names, write.__name__, write.__defaults__, write.__closure__
    )
