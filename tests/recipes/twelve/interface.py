"""What a recipe has to be told in, to be judged: a few methods of a few lines each.

    class Mine(Recipe):
        name = "mine"
        def install(self): ...
    pytest tests/recipes/twelve --recipe=path/to/mine.py:Mine

A method that a recipe does not have stays as it is here: the properties that need it fail, and say
so. Documents are JSON objects with their own id in `movieId`; ids are text and may hold colons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.recipes.twelve.world import World
from tests.recipes.twelve.world.servers import Process

Document = dict[str, Any]


class PropertyFailedError(AssertionError):
    """The recipe does not have the property; the message is what was seen."""


class NotOfferedError(PropertyFailedError):
    """The recipe has nothing to judge."""


@dataclass(frozen=True)
class DeadLetter:
    """A write that was given up."""

    id: str
    payload: str
    error: str
    attempts: int


class Producer:
    """An application that writes. Returning means acknowledged, raising means not."""

    def put(self, id: str, document: Document) -> None:
        """Write the whole document."""
        raise NotOfferedError("offers no way to write")

    def put_text(self, id: str, text: str) -> None:
        """Write JSON text, as a program without the client's own checks would."""
        raise NotOfferedError("offers no way to write text")

    def increment(self, id: str, field: str, by: int) -> None:
        """Add to a number, sending again what got no reply."""
        raise NotOfferedError("offers no increment that can be sent again")

    def remove(self, id: str, field: str) -> None:
        """Remove a field."""
        raise NotOfferedError("offers no removal of a field")

    def delete(self, id: str) -> None:
        """Delete the document."""
        raise NotOfferedError("offers no delete")

    def put_many(self, documents: Iterable[Document]) -> None:
        """Write whole documents, in order, as quickly as it can."""
        for document in documents:
            self.put(document["movieId"], document)

    def put_durably(self, id: str, document: Document) -> None:
        """Write, and return when the write outlives a power cut of Redis's machine."""
        raise NotOfferedError("offers no write that waits for the disk")


class Recipe:
    """A write-behind recipe under test."""

    name: ClassVar[str] = "unnamed"
    title: ClassVar[str] = ""
    database: ClassVar[str] = "mongo"
    """Which system of record: `mongo` or `postgres`."""
    table: ClassVar[str] = "movies"
    """The collection or table."""
    needs_json: ClassVar[bool] = False
    """Whether Redis has to have RedisJSON."""
    several_workers: ClassVar[bool] = True
    """Whether workers can run side by side. If not, a successor starts after the first has ended."""
    writes_need_worker: ClassVar[bool] = False
    """Whether nothing can be captured while no worker runs, as with Gears, which is both."""
    cap: int = 400
    """Entries that may wait; may be set before producers and workers are made."""
    patience: ClassVar[float] = 20
    """Seconds after which a property in `fails` has failed, so that a run is not spent on waiting."""
    fails: ClassVar[Mapping[int, str]] = {}
    """Properties that it is known not to have, with a word of why. The suite holds it to that."""

    def __init__(self, world: World):
        self.world = world

    def install(self) -> None:
        """Prepare empty stores: functions, tables, indexes, registrations."""

    def start_worker(self, version: int = 1) -> Process:
        """Start a worker that reaches the database at `self.world.database_url(self.database)`.

        `version` is that of the recipe's own code, in an upgrade.
        """
        raise NotOfferedError("offers no worker")

    def upgrade(self, worker: Process, version: int) -> Process:
        """Bring a new version in beside the old worker, or inside of it; returns the worker of now.

        An old worker that is another process gets SIGTERM next.
        """
        return self.start_worker(version)

    def redis_port(self) -> int:
        """Where applications reach Redis."""
        return self.world.redis.port

    def producer(self, port: int | None = None, patience: float = 0.0) -> Producer:
        """An application that reaches Redis at this port (None: the usual).

        It tries for `patience` seconds what has no reply or no room, at least once.
        """
        raise NotOfferedError("offers no producer")

    def read(self, id: str) -> Document | None:
        """Read as an application does that has both stores: from Redis, else from the database."""
        raise NotOfferedError("offers no read that knows what is still queued")

    def in_redis(self) -> dict[str, Document]:
        """All documents in Redis, by id."""
        raise NotImplementedError

    def stored(self) -> dict[str, Document]:
        """All documents in the database, by id, without fields that the recipe adds."""
        raise NotImplementedError

    def depth(self) -> int:
        """Entries that are not acknowledged by the worker yet."""
        raise NotImplementedError

    def idle(self) -> bool:
        """Whether nothing is left to write, in the queue or beside it."""
        return self.depth() == 0

    def entries(self) -> list[Any]:
        """What waits in the queue, oldest first, in a form that `deliver` takes."""
        raise NotOfferedError("offers no look at its queue")

    def deliver(self, entry: Any) -> None:
        """Deliver an entry once more, as after a crash, or from a copy of the stream."""
        raise NotOfferedError("cannot deliver an entry a second time")

    def dead_letters(self) -> list[DeadLetter]:
        """What was given up."""
        raise NotOfferedError("has no dead letters")

    def replay(self) -> None:
        """Send the dead letters back to the queue, as the recipe's command does."""
        raise NotOfferedError("has no command that replays dead letters")

    def demand_unique(self, field: str) -> None:
        """Give the database a rule of its own: no two documents with the same value in a field."""
        self.world.server(self.database).demand_unique(self.table, field)

    def lift_demand(self, field: str) -> None:
        """Take the rule away again."""
        self.world.server(self.database).lift_demand(self.table, field)

    def reconcile(self) -> None:
        """Find and repair what differs between the stores."""
        raise NotOfferedError("has no command that compares the stores")

    def tamper(self, id: str, title: str | None) -> None:
        """Change a title in the database behind the recipe's back; None removes the document."""
        raise NotImplementedError

    def metrics(self) -> Mapping[str, float]:
        """`depth`, `oldest_seconds`, `lag_seconds`, `dead_letters`: as Prometheus gets them."""
        raise NotOfferedError("has no metrics: what goes wrong is in the log, if anywhere")
