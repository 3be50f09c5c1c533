"""Documents that the database will never take, in the middle of good ones."""

from __future__ import annotations

import json

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Poison"
SENTENCE = "What the database refuses is set aside with its reason; all else passes, and it can be replayed."
HOW = (
    "A batch holds a document of 17 MB (which PostgreSQL takes), a text that is no object, an integer"
    " over 64 bits, a breach of a unique index, and titles with apostrophes. The good ones arrive."
    " Each bad one is refused at once, or in the dead letters with payload, error and attempts. A later good write"
    " of a bad key arrives. After the index is gone, a replay brings its document in."
)
POISON = {
    "huge": json.dumps({"movieId": "huge", "plot": "x" * (17 * 1024 * 1024)}),
    "text": json.dumps("O'Brien"),
    "wide": json.dumps({"movieId": "wide", "n": 2**64 - 1}),
}

PARTS = {"huge": "x" * 100, "text": "O'Brien", "wide": f"{2**64 - 1}", "second": "tt1"}
"""What has to be in the payload of each dead letter."""


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    expected: dict[str, Document] = {"first": document("first", imdb="tt1")}
    judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)
    producer.put("first", expected["first"])
    judge.settled(expected, "one write")
    judge.recipe.demand_unique("imdb")

    captured: set[str] = set()
    for number in range(20):
        id = f"good-{number}"
        expected[id] = document(id, title="O'Brien said \"it's on\"")
        producer.put(id, expected[id])
        for bad, text in POISON.items() if number == 10 else ():
            try:
                producer.put_text(bad, text)
                captured.add(bad)
            except Exception:  # a clear no, before anything is acknowledged
                continue
    producer.put("second", document("second", imdb="tt1"))
    captured.add("second")
    judge.drain()
    for bad in captured & POISON.keys() & judge.recipe.stored().keys():  # PostgreSQL takes 17 MB
        expected[bad] = json.loads(POISON[bad])
        captured.discard(bad)
    judge.same(expected, "a batch with poison in it")
    letters = {letter.id: letter for letter in judge.recipe.dead_letters()}
    judge.require(letters.keys() == captured, f"dead letters are {sorted(letters)}")
    for id, letter in letters.items():
        part = PARTS[id]
        judge.require(part in letter.payload, f"the dead letter of {id} has lost its payload")
        judge.require(letter.error and letter.attempts, f"a dead letter of {id} says no reason")

    for id in POISON:
        expected[id] = document(id, healed=True)
        producer.put(id, expected[id])
    judge.settled(expected, "good writes followed the poison")
    judge.recipe.lift_demand("imdb")
    judge.recipe.replay()
    expected["second"] = document("second", imdb="tt1")
    judge.same(expected, "the dead letters were replayed")
