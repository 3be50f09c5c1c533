"""The future that a step returns: its value comes later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from minigears.executor.errors import GearsError, GearsFlatError


class Promise:
    """What a step waits for once a function has made an `AsyncRecord`.

    It outlives the record, so that one which is dropped is noticed.
    """

    __slots__ = ("_lock", "_settled", "future", "maker", "returned")

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.maker = threading.get_ident()
        self.returned = False
        """The function that made it has returned it: now it may be continued."""
        self._lock = threading.Lock()
        self._settled = False

    def discard(self) -> None:
        """The function that made it has not returned it: nobody waits for it, nobody may continue it."""
        self.settle(lambda: self.future.set_result(None))

    def settle(self, put: Callable[[], None]) -> bool:
        """Give it a value or an error; false if it was given one already.

        Once its run was aborted nobody waits for it, which is no business of the one who gives.
        """
        with self._lock:
            if self._settled:
                return False
            self._settled = True
            with suppress(InvalidStateError):
                put()
            return True


class AsyncRecord:
    """What `gearsFuture()` makes: the step goes on when somebody continues it."""

    def __init__(self, promise: Promise) -> None:
        self.future = promise.future
        self.promise = promise

    def continueRun(self, *result: Any) -> None:
        """Go on with this value. The function that made it has to return it first."""
        promise = self.promise
        # Another thread may be quicker than the function's return, and does no harm.
        if not (promise.returned or self.future.done()) and threading.get_ident() == promise.maker:
            raise GearsError("Can not handle future untill it returned from the callback")
        self._settle(result, self.future.set_result)

    def continueFailed(self, *error: Any) -> None:
        """Go on with an error of this text."""
        self._settle(error, lambda value: self.future.set_exception(GearsFlatError(str(value))))

    def _settle(self, given: tuple[Any, ...], put: Callable[[Any], None]) -> None:
        if len(given) != 1:
            raise GearsError("Continue function expect an object")
        if not self.promise.settle(lambda: put(given[0])):
            raise GearsError("Can not continue with the same future twice")

    def __del__(self) -> None:
        error = GearsFlatError("Async record did not called continue")
        self.promise.settle(lambda: self.future.set_exception(error))
