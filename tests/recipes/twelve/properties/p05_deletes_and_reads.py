"""Puts and deletes in every order of delivery; a read of what Redis has evicted."""

from __future__ import annotations

import itertools

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Deletes and reads"
SENTENCE = (
    "A delete is remembered, so that nothing rises again; a read is never older than the queue."
)
HOW = (
    "Put, delete, put; and put, put, delete: the entries are delivered again in each of the six orders."
    " Then a document is evicted by Redis itself while the database has not got it: it is read all the"
    " same, and arrives."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    orders = list(itertools.permutations(range(3)))
    expected: dict[str, Document] = {}
    kept = {}
    with judge.backlog():
        producer = judge.recipe.producer(patience=30)
        for number in range(len(orders)):
            before = len(judge.recipe.entries())
            back, gone = f"back-{number}", f"gone-{number}"
            producer.put(back, document(back, take=1))
            producer.delete(back)
            producer.put(back, document(back, take=2))
            producer.put(gone, document(gone, take=1))
            producer.put(gone, document(gone, take=2))
            producer.delete(gone)
            expected[back] = document(back, take=2)
            kept[number] = judge.recipe.entries()[before:]
    judge.settled(expected, "puts and deletes")
    for step in range(3):
        for number, order in enumerate(orders):
            for first in (0, 3):
                judge.recipe.deliver(kept[number][first + order[step]])
        judge.settled(expected, "puts and deletes came again, in another order")
    _evicted(judge, expected)


def _evicted(judge: Judge, expected: dict[str, Document]) -> None:
    producer = judge.recipe.producer(patience=30)
    expected["dirty"] = document("dirty", take=1)
    producer.put("dirty", expected["dirty"])
    judge.settled(expected, "one more write")
    expected["dirty"] = document("dirty", take=2)
    with judge.world.redis.client() as client, judge.gate.hold(b"dirty-mark") as held:
        expected["dirty"]["mark"] = "dirty-mark"
        producer.put("dirty", expected["dirty"])
        judge.reaches(held)
        [key] = [k for k in client.scan_iter("*dirty*", count=1000) if client.type(k) != b"stream"]
        client.config_set("maxmemory-policy", "volatile-ttl")
        client.expire(key, 3600)
        client.config_set("maxmemory", "1mb")
        judge.wait(lambda: not client.exists(key), "Redis evicted nothing")
        client.config_set("maxmemory", "0")
        found = judge.recipe.read("dirty")
        judge.require(
            found == expected["dirty"],
            f"a document that was evicted before it was written reads as {found}",
        )
        held.release()
    judge.settled(expected, "a document was evicted before it was written")
