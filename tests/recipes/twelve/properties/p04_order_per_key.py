"""A worker wakes up that was taken for dead; several workers share the load."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Order per key, in parallel"
SENTENCE = "Workers share the load, and a zombie that wakes up overwrites nothing."
HOW = (
    "A worker is stopped (SIGSTOP) with its bulk write under way, and a peer takes over and writes a"
    " newer version. Then the old write arrives, and the old worker goes on: the newer version stays."
    " Then three workers (one, where there can only be one) write 600 changes of 20 documents."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    expected: dict[str, Document] = {"z": document("z", take="new")}
    zombie = judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)
    with judge.gate.hold(b"zombie-write") as held:
        producer.put("z", document("z", take="zombie-write"))
        judge.reaches(held)
        judge.stall(zombie)
        producer = judge.recipe.producer(patience=30)
        producer.put("z", expected["z"])
        judge.same(expected, "a peer took over")
        held.release()
        judge.wait(held.answered.is_set, "the late write was never answered")
        judge.revive(zombie)
    judge.settled(expected, "a zombie woke up")

    if judge.recipe.several_workers:
        judge.recipe.start_worker()
    for take in range(30):
        for number in range(20):
            id = str(number)
            expected[id] = document(id, take=take)
            producer.put(id, expected[id])
    judge.settled(expected, "workers side by side")
