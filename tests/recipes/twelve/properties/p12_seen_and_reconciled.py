"""What goes wrong is seen from outside, and what differs is found and mended."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Seen and reconciled"
SENTENCE = (
    "Figures tell of each fault, and a command finds and mends what differs between the stores."
)
HOW = (
    "Depth and age of the oldest entry rise in an outage and fall after it; a document that breaks"
    " a unique index shows in the count of dead letters; the lag is told. Redis is killed after a"
    " write that waited for the disk (`WAITAOF`): it is there afterwards, and arrives. Documents that"
    " were changed and deleted in the database behind everybody's back are found and mended."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)
    expected: dict[str, Document] = {}

    def put(id: str) -> None:
        expected[id] = document(id)
        producer.put(id, expected[id])

    def shows(name: str, least: float, what: str) -> None:
        judge.wait(
            lambda: judge.recipe.metrics().get(name, -1.0) >= least,
            lambda: f"{what}, and {name} is {judge.recipe.metrics().get(name)}",
        )

    put("first")
    judge.settled(expected, "one write")
    judge.recipe.metrics()
    judge.database.kill()
    for number in range(5):
        put(str(number))
    shows("depth", 5, "5 entries wait in an outage")
    shows("oldest_seconds", 0.5, "entries wait")
    judge.database.start()
    judge.settled(expected, "an outage")
    judge.wait(lambda: judge.recipe.metrics()["depth"] == 0, "depth does not fall")
    shows("lag_seconds", 0.0, "entries were written")
    judge.require(not judge.recipe.metrics()["dead_letters"], "dead letters of nothing")
    judge.recipe.demand_unique("title")
    producer.put("poison", document("first"))  # its title is there already
    shows("dead_letters", 1, "a document was given up")
    judge.recipe.lift_demand("title")
    producer.delete("poison")

    for id, title in (("first", "changed"), ("1", None)):
        judge.recipe.tamper(id, title)
    judge.recipe.reconcile()
    judge.settled(expected, "the stores were reconciled")
    _power_cut(judge, expected)


def _power_cut(judge: Judge, expected: dict[str, Document]) -> None:
    expected["durable"] = document("durable")
    judge.recipe.producer(patience=30).put_durably("durable", expected["durable"])
    judge.world.redis.kill()
    judge.world.redis.start()
    judge.settled(expected, "Redis was killed")
    found = judge.recipe.in_redis()
    judge.require(expected.items() <= found.items(), "Redis has lost a write that was on its disk")
