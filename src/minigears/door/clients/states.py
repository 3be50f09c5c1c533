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
    """It waits: for earlier replies, or for one to something that the door asks."""
    SERVING = enum.auto()
    """It waits: the door serves a command, all earlier ones being answered."""
    ABANDONED = enum.auto()
    """There is none: the door still serves a command of a client that left long ago."""
    SKIPPING = enum.auto()
    """It waits for the next command, whose reply the client does not want; nothing is on its way."""
    TURNED_AWAY = enum.auto()
    """It is dropped: redis-server says, unasked, that it does not let the client in, and closes."""
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
    TURN_AWAY = (State.CONNECTING, State.INTRODUCING), State.TURNED_AWAY
    """redis-server does not want it."""
    STOP = (State.RELAYING, State.SKIPPING), State.WAITING
    """A command needs more than forwarding."""
    SERVE = (State.WAITING,), State.SERVING
    """All earlier commands are answered: the door serves this one."""
    ABANDON = (State.SERVING,), State.ABANDONED
    """The client has left, and what it said last was not done in time."""
    END_SERVING = (State.SERVING, State.ABANDONED), State.WAITING
    """It is served."""
    SKIP = (State.WAITING,), State.SKIPPING
    """What came is done, and the next reply is not wanted."""
    GO_ON = (State.WAITING,), State.RELAYING
    """Nothing is left that needs more than forwarding."""
    CLOSE = tuple(State), State.CLOSED
    """Both sides are closed."""

    def __init__(self, before: tuple[State, ...], after: State):
        self.before = (
            before  # no set: Python 3.11 takes its time to hash the member of an enum, too
        )
        self.after = after


class Side(enum.Enum):
    """What still comes from the client, or from redis-server."""

    OPEN = enum.auto()
    LEAVING = enum.auto()
    """It sends no more, and may still read."""
    GONE = enum.auto()


class Login(enum.Enum):
    """Whether Redis would serve a client; the door keeps no user, and asks before it does something itself."""

    MISSING = enum.auto()
    """Redis asks for a password that it has not had."""
    DONE = enum.auto()
    """It has had one."""
    NOT_NEEDED = enum.auto()
    """Redis serves whoever comes."""


class Told(enum.Enum):
    """Which replies a client wants, by `CLIENT REPLY`."""

    ALL = enum.auto()
    ALL_BUT_NEXT = enum.auto()
    ALL_BUT_THIS = enum.auto()
    """The command that is not to be answered is on its way."""
    NONE = enum.auto()


SHARING = frozenset({State.FREE, State.AWAY, State.GREETING})
"""States of a client that shares."""

AT_REST = frozenset(
    {State.FREE, State.RELAYING, State.SKIPPING, State.UNAVAILABLE, State.TURNED_AWAY, State.CLOSED}
)
"""States in which nothing that the client sent waits in the door."""

ARRIVING = frozenset({State.CONNECTING, State.INTRODUCING})
"""States of a client of which Redis has not said yet whether it serves it."""

SERVED = frozenset({State.SERVING, State.ABANDONED})
"""States in which somebody serves a command."""

STOPPED = SERVED | {State.WAITING}
"""States in which what the client sends is kept."""


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
