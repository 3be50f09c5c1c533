"""Events that were on their way when the executor died. Pure.

One of them may be why it died: a function that crashes the process would do so again, for ever, and
take all others with it. So they are sent again one at a time, and one that is there at three deaths
is given up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from minigears.door.events.delivery import Event

_DEATHS = 3


class Suspects:
    """Sends suspects one by one; `give_up` gets those that are too dangerous to send again."""

    def __init__(self, send: Callable[[Event], None], give_up: Callable[[Event], None]):
        self._send = send
        self._give_up = give_up
        self._deaths: Counter[int] = Counter()
        self._current: Event | None = None
        self._waiting: deque[Event] = deque()

    def begin(self, suspects: Iterable[Event]) -> None:
        """An executor has taken over from one that died with these events on their way."""
        suspects = list(suspects)
        blamed = [self._current] if self._current else suspects
        self._current = None
        for event in blamed:
            self._deaths[event.seq] += 1
        dangerous = [event for event in suspects if self._deaths[event.seq] >= _DEATHS]
        given_up = {event.seq for event in dangerous}
        self._waiting = deque(event for event in suspects if event.seq not in given_up)
        for event in dangerous:
            del self._deaths[event.seq]
            self._give_up(event)
        self._next()

    def done(self, seqs: Iterable[int]) -> None:
        """These events are done; if the suspect on its way is among them, the next one goes."""
        for seq in seqs:
            self._deaths.pop(seq, None)
            if self._current and self._current.seq == seq:
                self._current = None
                self._next()

    def _next(self) -> None:
        if self._waiting:
            self._current = self._waiting.popleft()
            self._send(self._current)
