"""A producer dies between any two of its steps; a producer sends again what got no reply."""

from __future__ import annotations

import contextlib
import random

from tests.recipes.twelve.judge import Judge, document

TITLE = "Atomic capture"
SENTENCE = "The value and its queue entry appear together or not at all; a retry applies once."
HOW = (
    "A producer's connection is cut before its next request, after one, or after two, at random"
    " (60 times; long form 1,000). Whatever is in Redis afterwards has to reach the database. Then"
    " the reply to an increment is lost, and the producer tries again: the sum grows once."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    judge.recipe.start_worker()
    dice, cuts = random.Random(1), judge.size(60, 1000)
    gate = judge.world.gate(judge.recipe.redis_port())
    for number in range(cuts):
        producer = judge.recipe.producer(gate.port)
        id = str(number)
        producer.put(id, document(id, take=1))
        gate.cut_after(dice.randrange(3))
        with contextlib.suppress(Exception):  # it is dead; what it left behind is the question
            producer.put(id, document(id, take=2))
        gate.heal()
    judge.drain()
    judge.same(judge.recipe.in_redis(), "after producers died between two steps")
    _retry(judge)


def _retry(judge: Judge) -> None:
    gate = judge.world.gate(judge.recipe.redis_port())
    producer = judge.recipe.producer(gate.port, patience=30)
    producer.put("sum", document("sum", total=1))
    gate.lose_reply()
    producer.increment("sum", "total", 1)
    total = judge.recipe.in_redis()["sum"]["total"]
    judge.require(total == 2, f"an increment whose reply was lost was applied {total - 1} times")
    judge.drain()
    judge.same(judge.recipe.in_redis(), "after a retry")
