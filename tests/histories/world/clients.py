"""Clients that do what a seed says, and write down what they asked for and what they heard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.histories.verdict.history import Operation, Outcome
from tests.histories.world.operations import Request


class Refused(Exception):
    """The recipe says: nothing was done. Everything else that is raised leaves it open."""


Do = Callable[[Request], Any]
"""Carry out a request, return its result (READ: the document; INCREMENT: the number)."""


class Clients:
    """A thread a client; each sends one request after the other, each at its number times `pace` seconds."""

    def __init__(
        self,
        requests: Sequence[Request],
        connect: Callable[[], Do],
        clock: Callable[[], float],
        pace: float,
    ):
        self._clock = clock
        self._begin = clock()
        self._pace = pace
        self.operations: list[Operation] = []
        self._over = threading.Event()
        self.errors: dict[str, int] = {}
        """What was raised and leaves the outcome open, and how often."""
        self._threads = [
            threading.Thread(
                target=self._run,
                args=([r for r in requests if r.client == client], connect()),
                daemon=True,
            )
            for client in sorted({request.client for request in requests})
        ]

    def run(self) -> None:
        """Send everything, and wait for all answers. Interrupted, it sends no more."""
        try:
            for thread in self._threads:
                thread.start()
            for thread in self._threads:
                thread.join()
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Send no more."""
        self._over.set()

    def _run(self, requests: Sequence[Request], do: Do) -> None:
        for request in requests:
            due = self._begin + request.number * self._pace
            if self._over.wait(max(0.0, due - self._clock())):
                return
            self.operations.append(self._one(request, do))

    def _one(self, request: Request, do: Do) -> Operation:
        asked = Operation(
            request.number,
            request.client,
            request.kind,
            request.key,
            request.value,
            invoked=self._clock(),
        )
        try:
            result = do(request)
        except Refused:
            return replace(asked, ended=self._clock(), outcome=Outcome.REFUSED)
        except Exception as error:
            name = f"{type(error).__name__}: {error}"[:120]
            self.errors[name] = self.errors.get(name, 0) + 1
            unread = not asked.writes  # a READ that failed has seen nothing
            left = replace(asked, left=self._clock())
            return replace(left, outcome=Outcome.REFUSED) if unread else left
        return replace(asked, ended=self._clock(), outcome=Outcome.ACKNOWLEDGED, result=result)
