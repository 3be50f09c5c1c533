"""A new version takes over while writes go on."""

from __future__ import annotations

import threading

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge, document

TITLE = "Upgrade without loss"
SENTENCE = "A new version finds what the old one has left, and SIGTERM ends a worker in good order."
HOW = (
    "Three times a new version starts under load, and the old one gets SIGTERM: it ends by itself with"
    " status 0, whatever was queued is written, and no producer sees an error that outlasts a retry."
)


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    expected: dict[str, Document] = {}
    errors: list[Exception] = []
    enough, go_on = threading.Event(), threading.Event()

    def load() -> None:
        producer = judge.recipe.producer(patience=30)
        number = 0
        while not enough.is_set():
            id = str(number % 200)
            expected[id] = document(id, take=number)
            try:
                producer.put(id, expected[id])
            except Exception as error:
                errors.append(error)
                return
            number += 1
            if number % 100 == 0:
                go_on.set()

    worker = judge.recipe.start_worker(version=1)
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for version in (2, 3, 4):
            go_on.clear()
            judge.wait(lambda: go_on.is_set() or errors, "no load")
            old, worker = worker, judge.recipe.upgrade(worker, version)
            if old is not worker:
                status = old.stop()
                judge.require(status == 0, f"SIGTERM ended the worker with status {status}")
    finally:
        enough.set()
        thread.join()
    judge.require(not errors, f"a producer failed during an upgrade: {errors[:1]}")
    judge.settled(expected, "three upgrades under load")
