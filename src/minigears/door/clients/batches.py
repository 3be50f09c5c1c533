"""Which of a client's commands go to redis-server together, and what has to wait for them. Pure: no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from minigears.door.clients.queued import Queued
from minigears.door.commands.classifier import Classifier, Kind, is_hello
from minigears.protocol import Command

_MAX_GAP = 16
"""Other commands between two concerned ones of a batch, whose replies all wait for both."""

_SLOW = frozenset({Kind.BLOCKING, Kind.OFFSET})
"""Kinds whose reply may take long."""

_MARKED = frozenset({Kind.MULTI, Kind.CACHING})
"""Kinds behind which no marker may come."""


OnReply = Callable[[bool], None]
"""Told whether Redis refused a command."""


@dataclass
class Batch:
    """Commands that are sent in one piece."""

    commands: list[Command] = field(default_factory=list)
    last: int = 0
    """Which of them, from 1, is the last that concerns a registration."""
    keys: list[bytes] = field(default_factory=list)
    """Keys that it changes and that concern a registration."""
    blocking: bool = False
    """Whether one of them may wait in Redis for somebody else."""
    counted: bool = False
    """Whether replies have to be counted from here on, and were not before."""
    watched: list[tuple[int, OnReply]] = field(default_factory=list)
    """Which of them, from 1, Redis may refuse so that we have to know, and who is to be told."""


@dataclass
class _Transaction:
    """What is queued between MULTI and EXEC."""

    keys: dict[bytes, None] = field(default_factory=dict)
    subscribes: bool = False
    """Whether EXEC will change what replies look like."""
    queue: list[Queued] = field(default_factory=list)
    """Commands of it that need more than Redis."""
    length: int = 0
    """Commands that it has, as far as Redis takes them all."""
    begun: bool = False
    """Whether Redis has agreed to MULTI: until then what follows may be carried out at once."""


class Batches:
    """Cuts one client's commands into batches; knows whether it is inside MULTI."""

    def __init__(self) -> None:
        self._transaction: _Transaction | None = None
        self._ends = 0
        """Times that a transaction ended, or may have."""
        self.wrote_elsewhere = False
        """Whether the client's last write may have gone over a shared connection."""
        self.watching = False
        """Whether the client WATCHes keys: the next EXEC, whoever sends it, ends that."""

    @property
    def resp(self) -> int | None:
        """The RESP version that a `HELLO` inside the transaction asks for, if there is one."""
        queue = self._transaction.queue if self._transaction is not None else ()
        hellos = [q.argv[1] for q in queue if is_hello(q.argv) and q.argv[1] in (b"2", b"3")]
        return int(hellos[-1]) if hellos else None

    @property
    def in_multi(self) -> bool:
        """Whether the client is between MULTI and EXEC."""
        return self._transaction is not None

    def reset(self) -> None:
        """The connection is in no transaction, or nothing is to be known of the one it is in."""
        self._transaction = None
        self._ends += 1

    def count(self) -> None:
        """One more command was sent; inside MULTI it is queued."""
        if self._transaction is not None:
            self._transaction.length += 1

    def queue(self, argv: Command, mark: bytes | None) -> None:
        """The next command, inside MULTI, needs more than Redis; see `Queued`."""
        assert self._transaction is not None
        self._transaction.queue.append(Queued(argv, self._transaction.length, mark))

    def take_queue(self) -> tuple[list[Queued], int, set[bytes]]:
        """What needs more than Redis, how many commands there are, and the keys that concern a registration.

        The transaction is over.
        """
        transaction = self._transaction
        assert transaction is not None
        self.watching = False
        self.reset()
        return transaction.queue, transaction.length, set(transaction.keys)

    def stops(self, kind: Kind, counting: bool) -> bool:
        """Whether a command of this kind cannot simply be forwarded."""
        subscribes = self._transaction is not None and self._transaction.subscribes
        if kind is Kind.STREAMING or (kind is Kind.EXEC and subscribes):
            return counting and not (kind is Kind.STREAMING and self.in_multi)
        if kind is Kind.EXEC:
            return self._transaction is not None and bool(self._transaction.queue)
        if kind is Kind.OFFSET:  # inside MULTI it does not wait
            return self.wrote_elsewhere and not self.in_multi
        return kind in (Kind.SPECIAL, Kind.RESET)

    def whole(
        self, commands: list[Command], classifier: Classifier, counting: bool
    ) -> Batch | None:
        """All of the commands as one batch, if none of them needs a closer look."""
        batch = Batch(commands)
        for number, argv in enumerate(commands, 1):
            kind = classifier[argv[0]]
            if kind is Kind.SCRIPT:
                kind = classifier.kind(argv)
            if kind is Kind.KEYED:
                if found := classifier.concerned(argv):
                    if not counting or self._too_far(batch, number - 1):
                        return None
                    batch.keys.extend(found)
                    batch.last = number
            elif kind:
                return None
        return batch

    def cut(
        self,
        pending: deque[Command],
        classifier: Classifier,
        counting: bool,
        capture: Callable[[Command], Command] | None = None,
    ) -> Iterator[Batch]:
        """Take batches off `pending`, up to the first command that needs more than forwarding.

        `capture` gives the call that takes the place of a command.
        """
        batch = Batch()
        while pending:
            argv = pending[0]
            if capture:
                argv = pending[0] = capture(argv)
            kind = classifier.kind(argv)
            if self.stops(kind, counting):
                break
            if kind in _SLOW and batch.keys:  # what came before must not wait for it
                yield batch
                batch = Batch()
            before = self._transaction
            keys = self.concerned(argv, kind, classifier) if kind else ()
            if not counting and (keys or kind in _MARKED):
                yield batch
                batch, counting = Batch(counted=True), True
            elif keys and self._too_far(batch, len(batch.commands)):
                yield batch
                batch = Batch()
            batch.commands.append(pending.popleft())
            batch.blocking |= kind in _SLOW
            if kind is not Kind.MULTI:
                self.count()
            if keys:
                batch.keys.extend(keys)
                batch.last = len(batch.commands)
            if told := self._to_be_told(kind, before):
                batch.watched.append((len(batch.commands), told))
        yield batch

    def _to_be_told(self, kind: Kind, before: _Transaction | None) -> OnReply | None:
        """Who has to know whether Redis refuses what was just taken to begin or to end a transaction."""
        now, ends = self._transaction, self._ends

        def multi(refused: bool) -> None:
            if now and not refused:
                now.begun = True
            elif self._transaction is now:
                self.reset()

        def discard(refused: bool) -> None:
            if refused and self._ends == ends and self._transaction is None:
                self._transaction = before

        if now is before:
            return None
        return {Kind.MULTI: multi, Kind.DISCARD: discard}.get(kind)

    @staticmethod
    def _too_far(batch: Batch, commands: int) -> bool:
        """Whether replies of too many others would wait for one more concerned command, behind so many."""
        return bool(batch.last) and commands - batch.last > _MAX_GAP

    def concerned(self, argv: Command, kind: Kind, classifier: Classifier) -> Sequence[bytes]:
        """Keys of a command that concern a registration and that it is going to change now."""
        transaction = self._transaction
        if kind is Kind.MULTI:  # a second one is refused, and what is queued stays
            self._transaction = transaction or _Transaction()
            return ()
        if kind is Kind.WATCH:
            words = len(argv) > 1  # WATCH is refused without, and UNWATCH with some
            self.watching = (
                words or self.watching if argv[0].lower() == b"watch" else words and self.watching
            )
        if kind in (Kind.EXEC, Kind.DISCARD, Kind.ABORT):
            self.watching &= transaction is None
            self.reset()
            return list(transaction.keys) if transaction and kind is Kind.EXEC else ()
        keys = classifier.concerned(argv)
        if transaction:
            transaction.subscribes |= kind is Kind.STREAMING
            transaction.keys.update(dict.fromkeys(keys))
        return () if transaction and transaction.begun else keys
