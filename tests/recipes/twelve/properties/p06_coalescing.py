"""Many writes on few keys."""

from __future__ import annotations

from tests.recipes.twelve.judge import Judge, document

TITLE = "Coalescing"
SENTENCE = (
    "Of many changes of one document in a batch, the last is written; all count as done with it."
)
HOW = (
    "2,000 writes (long form 10,000) on ten keys wait. None is acknowledged before the database is"
    " back. The documents that the database is sent are counted on the way: no more than keys times"
    " flushes, and at most a fifth of the writes. The last values are exact."
)
KEYS = 10


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    writes = judge.size(2_000, 10_000)
    judge.recipe.cap = 2 * writes
    documents = [document(str(n % KEYS), take=n, mark="coalesce-me") for n in range(writes)]
    with judge.gate.watch(b"coalesce-me") as sent:
        with judge.backlog():
            judge.recipe.producer(patience=30).put_many(documents)
            waiting = judge.recipe.depth()
            judge.require(
                waiting == writes,
                f"{writes - waiting} of {writes} were acknowledged before anything was written",
            )
        judge.settled({d["movieId"]: d for d in documents[-KEYS:]}, f"{writes} writes")
        told = f"{sent.count} documents in {sent.requests} requests for {writes} writes"
        judge.require(sent.count <= KEYS * sent.requests, told)
        judge.require(sent.count <= writes / 5, told)
