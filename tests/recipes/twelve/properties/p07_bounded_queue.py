"""The database is away, and producers go on."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Bounded queue, backpressure"
SENTENCE = (
    "The queue has an end. Beyond it a producer waits or is told no; nothing is lost or half done."
)
HOW = (
    "The database is stopped, and a producer floods the queue with half as much again as may wait,"
    " until it is told no ten times. The depth stays under the cap. What was acknowledged arrives when"
    " the database is back; what was refused is in neither store."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    cap = judge.recipe.cap
    worker = judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=0.02)
    expected: dict[str, Document] = {}
    judge.database.kill()
    refused, deepest = 0, 0
    for number in range(cap * 3 // 2):
        id = str(number)
        try:
            producer.put(id, document(id))
        except Exception:  # whichever way it says no
            refused += 1
        else:
            expected[id] = document(id)
        deepest = max(deepest, judge.recipe.depth())
        if refused == 10:
            break
    judge.require(deepest <= cap, f"{deepest} entries wait, and {cap} may")
    in_redis = judge.recipe.in_redis()
    judge.require(in_redis == expected, "a write that was refused is in Redis")
    judge.database.start()
    judge.require(worker.alive(), "the worker ended")
    judge.settled(expected, "a flood in an outage")
