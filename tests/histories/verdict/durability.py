"""What may be lost under which fault: what Redis promised of its disk, and what a stranger's hand takes. Pure.

Such a fault takes Redis back to what it was at one moment: documents, queue and answers together.

* `FLUSHALL` takes it back to nothing. What the database had not got yet is gone. What it had stays
  there: nobody deleted it.
* A power cut, or SIGKILL while the disk is busy, takes it back by `window` seconds at most, which is
  what `appendfsync` leaves open: 0 with `always`, 2 with `everysec`. What waits because the disk is
  full waits longer.
* A power cut after which Redis's clock is behind takes no more than that. What comes next has to win over
  what was lost, all the same, though it may look older.
* A master of a cluster that dies and is succeeded by its replica takes with it what this one had not
  got. A write to it is acknowledged once the replica has it (`WAIT 1`), so none of those is taken.
* A call that nobody had answered by then may be tried again, and apply once before and once after.
* What is written afterwards is handled like anything else: whole, in order, and in both stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tests.histories.verdict.history import NEVER, Fault, History, Kind, Operation, Outcome

FLUSH, POWER, KILL, FULL = "FLUSHALL", "power cut", "SIGKILL", "full disk"
BEHIND = "power cut and clock back"
SUCCEED = "a replica takes over"
"""What history calls the faults that may take something, and one (FULL) that makes them take more."""

REDIS = "redis"
"""What the names of Redis's parts begin with."""


@dataclass(frozen=True)
class Rewind:
    """Redis went back between `at` and `until`, past nothing that had been acknowledged before `since`."""

    at: float
    until: float
    since: float
    what: str

    @property
    def to_nothing(self) -> bool:
        """Whether there is no document afterwards."""
        return self.what == FLUSH

    def may_take(self, operation: Operation) -> bool:
        """Whether an operation may be gone afterwards. A document may expire at any time."""
        late = operation.kind is Kind.EXPIRE or operation.ended >= self.since
        return operation.invoked < self.until and late

    def overlaps(self, operation: Operation) -> bool:
        """Whether an operation's client was still trying it."""
        return operation.invoked < self.until and min(operation.ended, operation.left) > self.at


def rewinds(history: History) -> list[Rewind]:
    """Return each moment at which Redis may have gone back, in order."""
    window = history.notes.get("window", 0.0)
    ours = sorted((f for f in history.faults if f.part.startswith(REDIS)), key=lambda f: f.at)
    found = []
    for fault in ours:
        if fault.what == FLUSH:
            found.append(Rewind(fault.at, fault.until, -NEVER, fault.what))
        elif fault.what == SUCCEED:
            found.append(Rewind(fault.at, fault.until, NEVER, fault.what))
        elif fault.what in (POWER, BEHIND, KILL) and window:
            since = _unwritten_since(fault, ours, window)
            found.append(Rewind(fault.at, fault.until, since - window, fault.what))
    return found


def _unwritten_since(fault: Fault, faults: Iterable[Fault], window: float) -> float:
    """Since when the disk may have had no room, as far as that still mattered at a fault."""
    full = [f.at for f in faults if f.what == FULL and f.at < fault.at <= f.until + window]
    return min([fault.at, *full])


def taker(operation: Operation, found: Iterable[Rewind], by: float = NEVER) -> Rewind | None:
    """Return the first that may have taken an operation by a time, None if none may."""
    return next((r for r in found if r.at <= by and r.may_take(operation)), None)


def tried_again(operation: Operation, found: Sequence[Rewind]) -> list[tuple[Operation, Rewind]]:
    """Return an operation as it may have been carried out before, too, each with the fault that took that.

    Its answer was lost together with what it did, so it was tried again.
    """
    if not operation.writes:
        return []
    twin = replace(operation, outcome=Outcome.UNKNOWN, ended=NEVER, result=None)
    return [(twin, rewind) for rewind in found if rewind.overlaps(operation)]


def why(rewind: Rewind, begin: float) -> str:
    """Say why an operation may be lost. `begin` is the time that counts as 0."""
    if rewind.to_nothing:
        return f"a stranger's FLUSHALL at {rewind.at - begin:.2f} s took what was not in the database yet"
    return (
        f"of what is younger than {rewind.at - rewind.since:.0f} s Redis has promised nothing, "
        f"and there was a {rewind.what} at {rewind.at - begin:.2f} s"
    )


def why_not(operation: Operation, found: Sequence[Rewind], begin: float) -> str:
    """Say why an operation may not be lost; nothing where no fault could take any."""
    earlier = [r for r in found if r.until >= operation.invoked]
    if not found:
        return ""
    if not earlier:
        return ", and no fault that takes anything came after it"
    copied = [r for r in earlier if r.since == NEVER]
    if copied == earlier:
        return f", and a replica had it when one took over at {copied[0].at - begin:.2f} s"
    return ", and it was acknowledged too early for " + " and ".join(
        f"the {r.what} at {r.at - begin:.2f} s, which may take what came after {r.since - begin:.2f} s"
        for r in earlier
        if r not in copied
    )
