"""What is done to the parts of a run, and when: a schedule from a seed (pure), and who carries it out."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.histories.verdict import clocks, durability
from tests.histories.verdict.history import Fault
from tests.histories.world.parts import World, clock_of, freeze, thaw
from tests.histories.world.proxy import Mood


class Deed(str, Enum):
    """What can be done: the first three to any part, the next four to a line, the others to some parts."""

    KILL = durability.KILL
    FREEZE = "SIGSTOP, SIGCONT"
    RESTART = "SIGTERM"
    CUT = "cut"
    HANG = "hang"
    REFUSE = "refuse"
    SLOW = "slow"
    FULL = durability.FULL
    POWER = durability.POWER
    BEHIND = durability.BEHIND
    FLUSH = durability.FLUSH
    RESHARD = "a slot moves"
    SUCCEED = durability.SUCCEED
    CLOCK = clocks.STEP


_ENDS_WITHIN = 2.0  # seconds

TO_PARTS = (Deed.KILL, Deed.FREEZE, Deed.RESTART)
TO_LINES = (Deed.CUT, Deed.HANG, Deed.REFUSE, Deed.SLOW)
STEPS = (2.0, 3600.0, 25 * 3600.0)
"""Seconds by which a clock is stepped, forward or back, and then the other way: the last is over a day.
Back only by a power cut, and the other way when all is calm."""
_SIGNS = {Deed.CLOCK: (1, -1), Deed.BEHIND: (-1,)}
"""Of the deeds that step a clock."""
_MOODS = {Deed.HANG: Mood.HANGING, Deed.REFUSE: Mood.REFUSING, Deed.SLOW: Mood.SLOW}


@dataclass(frozen=True)
class Plan:
    """One fault to come: `after` seconds from the beginning of the run, for so many `seconds`.

    `by`: how far ahead (negative: behind) a clock is stepped, in seconds.
    """

    after: float
    seconds: float
    deed: Deed
    target: str
    by: float = 0.0


def schedule(
    seed: int,
    count: int,
    seconds: float,
    parts: Mapping[str, Sequence[Deed]],
    lines: Mapping[str, Sequence[Deed]],
    known: Collection[Deed] = frozenset(Deed),
) -> list[Plan]:
    """Return `count` faults of known deeds over `seconds`. Half of them strike a part, half a line.

    `parts` and `lines` say what can be done to each.
    """
    chance = random.Random(f"faults {seed}")
    groups = [
        {name: able for name, deeds in sorted(group.items()) if (able := _among(deeds, known))}
        for group in (parts, lines)
    ]
    groups = [group for group in groups if group]
    plans = []
    for _ in range(count if groups else 0):
        group = chance.choice(groups)
        target = chance.choice(list(group))
        lasts = chance.choice([0.02, 0.1, 0.3, 0.8])
        after, deed = chance.uniform(0, seconds), chance.choice(group[target])
        by = chance.choice(STEPS) * chance.choice(signs) if (signs := _SIGNS.get(deed)) else 0.0
        plans.append(Plan(after, lasts, deed, target, by))
    return sorted(plans, key=lambda plan: plan.after)


def _among(deeds: Sequence[Deed], known: Collection[Deed]) -> list[Deed]:
    return [deed for deed in deeds if deed in known]


def special_deeds(part: object) -> Mapping[Deed, Callable[..., None]]:
    """What can be done to this part and not to others: for so many seconds, and by so many where a clock is set."""
    deeds: Mapping[Deed, Callable[..., None]] = getattr(part, "deeds", {})
    return deeds


def sufferable(part: object) -> list[Deed]:
    """All that can be done to a part. A clock that may be set only while its part is away is left alone otherwise."""
    special = special_deeds(part)
    stepped = [Deed.CLOCK] if clock_of(part) and Deed.BEHIND not in special else []
    return [*TO_PARTS, *special, *stepped]


class Trouble:
    """Carries out a schedule on a thread for each target, so that faults of several overlap."""

    def __init__(
        self,
        world: World,
        plans: Sequence[Plan],
        clock: Callable[[], float],
        when_it_fails: Callable[[], None],
    ):
        self._world, self._clock, self._when_it_fails = world, clock, when_it_fails
        self._begin = clock()
        self._over = threading.Event()
        self.faults: list[Fault] = []
        self.errors: list[BaseException] = []
        targets = {plan.target for plan in plans}
        self._threads = [
            threading.Thread(
                target=self._strike, args=([p for p in plans if p.target == target],), daemon=True
            )
            for target in targets
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait for the last fault to end. Raises what went wrong."""
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def give_up(self) -> None:
        """Begin no other fault, and start nothing again."""
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_ENDS_WITHIN)

    def _strike(self, plans: Sequence[Plan]) -> None:
        try:
            for plan in plans:
                self._over.wait(max(0.0, self._begin + plan.after - self._clock()))
                if self._over.is_set():
                    return
                began = self._clock()
                self._do(plan)
                fault = Fault(began, self._clock(), plan.deed.value, plan.target, plan.by)
                self.faults.append(fault)
        except BaseException as error:
            self.errors.append(error)
            self._when_it_fails()  # a part may be away for good, and each request would wait for it

    def _do(self, plan: Plan) -> None:
        if plan.deed in TO_LINES:
            line = self._world.lines[plan.target]
            if plan.deed is Deed.CUT:
                line.cut()
                return
            line.be(_MOODS[plan.deed])
            time.sleep(plan.seconds)
            line.be(Mood.PASSING)
            return
        part = self._world.parts[plan.target]
        if (special := special_deeds(part).get(plan.deed)) is not None:
            special(*([plan.seconds, plan.by] if plan.by else [plan.seconds]))
            return
        if plan.deed is Deed.CLOCK and (clock := clock_of(part)) is not None:
            clock.step(plan.by)
            time.sleep(plan.seconds)
            clock.step(0)
            return
        if plan.deed is Deed.FREEZE:
            frozen = freeze(part)
            time.sleep(plan.seconds)
            thaw(frozen)
            return
        part.stop(signal.SIGKILL if plan.deed is Deed.KILL else signal.SIGTERM)
        if not self._over.wait(plan.seconds):
            part.start()
