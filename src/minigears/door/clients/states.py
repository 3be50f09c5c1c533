"""Where a client's connection is in its life, as one table of states and the steps between them. Pure.

Whoever takes a step that the table does not have raises, and the client is closed: replies that are
swapped would be worse.
"""

from __future__ import annotations

import enum


class WrongStateError(RuntimeError):
    """A step that is not in the table: an error in minigears."""


class State(enum.Enum):
    """What happens to what the client sends."""

    CONNECTING = enum.auto()
    """It waits: the client's own connection to redis-server is not there yet."""
    UNAVAILABLE = enum.auto()
    """It is refused: redis-server is away."""
    INTRODUCING = enum.auto()
    """It waits: redis-server is asked whether it serves this client as it is."""
    FREE = enum.auto()
    """The client shares connections, and nothing is on its way."""
    AWAY = enum.auto()
    """One command is on a shared connection; the next one waits."""
    GREETING = enum.auto()
    """The client's own connection has still to answer an introduction; other commands wait."""
    RELAYING = enum.auto()
    """It is forwarded on the client's own connection."""
    WAITING = enum.auto()
    """It waits: a task of the door's waits for earlier replies, or forwards what came meanwhile."""
    SERVING = enum.auto()
    """It waits: the door serves a command, all earlier ones being answered."""
    CLOSED = enum.auto()
    """It is dropped."""


class Transition(enum.Enum):
    """What moves a client's connection on; the value is from where, and to where."""

    FIND_NOBODY = (State.CONNECTING,), State.UNAVAILABLE
    """redis-server is away, or does not answer."""
    TRY = (State.UNAVAILABLE,), State.CONNECTING
    """redis-server is back."""
    INTRODUCE = (State.CONNECTING,), State.INTRODUCING
    """Its own connection is there."""
    SHARE = (State.INTRODUCING,), State.FREE
    """It may share connections."""
    RIDE = (State.FREE,), State.AWAY
    """A command goes over a shared connection."""
    ARRIVE = (State.AWAY,), State.FREE
    """Its whole reply is here."""
    GREET = (State.FREE, State.GREETING), State.GREETING
    """An introduction goes over its own connection."""
    BE_GREETED = (State.GREETING,), State.FREE
    """Every introduction is answered."""
    PART = (State.INTRODUCING, State.FREE), State.RELAYING
    """It shares no more, or not at all: nothing of it is on its way anywhere."""
    STOP = (State.RELAYING,), State.WAITING
    """A command needs more than forwarding."""
    SERVE = (State.WAITING,), State.SERVING
    """All earlier commands are answered: the door serves this one."""
    END_SERVING = (State.SERVING,), State.WAITING
    """It is served, or given up."""
    GO_ON = (State.WAITING,), State.RELAYING
    """Nothing is left that needs more than forwarding."""
    CLOSE = tuple(State), State.CLOSED
    """Both sides are closed."""

    def __init__(self, before: tuple[State, ...], after: State):
        self.before = frozenset(before)
        self.after = after


class Front(enum.Enum):
    """What still comes from the client."""

    OPEN = enum.auto()
    LEAVING = enum.auto()
    """It sends no more, and may still read."""
    GONE = enum.auto()


SHARING = frozenset({State.FREE, State.AWAY, State.GREETING})
"""States of a client that shares."""

AT_REST = frozenset({State.FREE, State.RELAYING, State.UNAVAILABLE, State.CLOSED})
"""States in which nothing that the client sent waits in the door."""

HAS_TASK = frozenset({State.WAITING, State.SERVING})
"""States in which a task of the door's works for the client."""


class Place:
    """The state of one connection; changed by steps of the table only."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = State.CONNECTING

    def take(self, step: Transition) -> None:
        """Move on.

        Raises:
            WrongStateError: the table has no such step from here.
        """
        if self.now not in step.before:
            raise WrongStateError(f"{step.name} in the state {self.now.name}")
        self.now = step.after
