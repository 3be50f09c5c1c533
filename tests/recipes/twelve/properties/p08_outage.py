"""The database is down for a while."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Outage"
SENTENCE = "An outage is waited out with growing pauses, is nobody's fault, and is made up for."
HOW = (
    "The database is killed for 3 s (long form 10 s and 60 s) while writes go on. The worker knocks"
    " fewer than 15 times a second, nothing reaches the dead letters, and the lag is back in time."
)
KNOCKS = 15


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    worker = judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)
    expected: dict[str, Document] = {}

    def put(id: str) -> None:
        expected[id] = document(id)
        producer.put(id, expected[id])

    put("before")
    judge.settled(expected, "one write")
    for seconds in (10, 60) if judge.long else (3,):
        knocks = judge.gate.connections
        judge.database.kill()
        for number in judge.pass_time(seconds):
            if number % 5 == 0:
                put(f"{seconds}-{number}")
        knocks = judge.gate.connections - knocks
        judge.database.start()
        judge.require(
            knocks <= KNOCKS * seconds, f"{knocks} connections were tried in {seconds} s of outage"
        )
        judge.require(worker.alive(), "the worker ended")
        judge.settled(expected, f"an outage of {seconds} s")
    letters = judge.recipe.dead_letters()
    judge.require(not letters, f"{len(letters)} writes became dead letters in an outage")
