"""The worker is killed before the bulk write, and after it; the database after it said yes."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Acknowledge after commit"
SENTENCE = "An entry leaves the queue after the database has it in its journal, not before."
HOW = (
    "The worker gets SIGKILL while the request of its bulk write is held back, and again while the"
    " reply is: a peer takes over, and nothing is missing. Then the database gets SIGKILL in the"
    " moment in which the queue is empty, twice (long form: 20 times), and still has everything after its restart."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    expected: dict[str, Document] = {}
    worker = judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)

    def put(id: str, **fields: object) -> None:
        expected[id] = document(id, **fields)
        producer.put(id, expected[id])

    for replies, moment in ((False, "before"), (True, "after")):
        mark = f"killed-{moment}"
        with judge.gate.hold(mark.encode(), replies) as held:
            put(mark, mark=mark)
            judge.reaches(held)
            worker.kill()
            held.drop()
        worker = judge.recipe.start_worker()
        producer = judge.recipe.producer(patience=30)
        judge.settled(expected, f"a worker was killed {moment} its bulk write")
    for round in range(judge.size(2, 20)):
        for number in range(20):
            put(f"{round}-{number}")
        judge.drain()
        judge.database.kill()
        judge.database.start()
        judge.same(expected, "the database was killed after the entries were acknowledged")
