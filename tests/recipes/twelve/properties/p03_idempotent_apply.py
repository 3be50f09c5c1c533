"""Everything comes again, twice, in another order."""

from __future__ import annotations

import random

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Idempotent, fenced apply"
SENTENCE = (
    "What is delivered again, late or out of order changes nothing: the newest version stays."
)
HOW = (
    "Four versions each of ten documents are written and their entries kept. All entries are"
    " delivered twice more, shuffled: the database holds the same, and there is no dead letter."
)
PIECE = 10


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    expected: dict[str, Document] = {}
    with judge.backlog():
        producer = judge.recipe.producer(patience=30)
        for take in range(4):
            for number in range(10):
                id = str(number)
                expected[id] = document(id, take=take)
                producer.put(id, expected[id])
        entries = judge.recipe.entries()
    judge.require(len(entries) == 40, f"{len(entries)} entries for 40 writes")
    judge.settled(expected, "40 writes")
    again = entries * 2
    random.Random(3).shuffle(again)
    for start in range(0, len(again), PIECE):  # a batch of all would hold the newest of each
        for entry in again[start : start + PIECE]:
            judge.recipe.deliver(entry)
        judge.drain()
    judge.settled(expected, "everything was delivered twice more, shuffled")
    letters = judge.recipe.dead_letters()
    judge.require(not letters, f"{len(letters)} stale entries became dead letters")
