"""What a capturing client sends in place of commands, and the replies it gives. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import Misconfigured
from ..core.names import Partitions
from .attempts import Outcomes
from .calls import Limits, Written
from .parcels import Lanes, Packing, Parcel, link
from .translate import CommandTable, Plan, Translator


class Capture:
    """Which commands on which keys are captured."""

    def __init__(self, prefixes: Sequence[str], partitions: Partitions) -> None:
        if not prefixes or "" in prefixes:
            raise Misconfigured('say which keys to capture, as in prefixes=["Movie:"]')
        self.translator = Translator(prefixes, partitions)
        self.table = CommandTable({})

    def plan(self, words: Sequence[Any]) -> Plan | None:
        """What to do in place of a command, as `Translator.plan`."""
        return self.translator.plan(words, self.table)

    def learn(self, commands: Any) -> None:
        """Take the server's table of commands."""
        self.table = CommandTable({str(name).lower(): info for name, info in commands.items()})


@dataclass
class Slot:
    """One command of a pipeline, and what is done in its place."""

    command: tuple[tuple[Any, ...], dict[str, Any]]
    plan: Plan | None


class Queued:
    """A pipeline's commands with parcels in the place of captured ones.

    A parcel goes out in the place of its first command, and never past a command that is not
    captured: that may look at what was written.
    """

    def __init__(self, capture: Capture, stack: Sequence[Any]) -> None:
        self.slots = [Slot((args, options), capture.plan(args)) for args, options in stack]
        self.changed = any(slot.plan for slot in self.slots)
        self.parcels: list[Parcel] = []
        self._sent: list[Parcel | tuple[tuple[Any, ...], dict[str, Any]]] = []

    def stack(self, limits: Limits, lanes: Lanes) -> list[Any]:
        """What to send, numbered."""
        packing = Packing(lanes)
        for slot in self.slots:
            for call in slot.plan.calls if slot.plan else ():
                if parcel := packing.add(call):
                    self._sent.append(parcel)
            plainly = (
                [(tuple(w), {}) for w in (slot.plan.read, slot.plan.rest) if w]
                if slot.plan
                else [slot.command]
            )
            if plainly:
                packing.close()
                self._sent += plainly
        self.parcels = packing.parcels
        link(self.parcels)
        return [
            (tuple(sent.words(limits)), {}) if isinstance(sent, Parcel) else sent
            for sent in self._sent
        ]

    def give_up(self, lanes: Lanes) -> None:
        """Nobody is going to ask what came of it."""
        lanes.give(parcel.lane for parcel in self.parcels)

    def first(self, replies: list[Any]) -> list[Any]:
        """The replies to parcels."""
        return [r for r, sent in zip(replies, self._sent, strict=True) if isinstance(sent, Parcel)]

    def results(self, client: Any, outcomes: Outcomes, replies: list[Any]) -> list[Any]:
        """One result for each command, as redis-py would have given it, errors included."""
        others = iter(
            [r for r, sent in zip(replies, self._sent, strict=True) if not isinstance(sent, Parcel)]
        )
        results: list[Any] = []
        for slot in self.slots:
            if slot.plan is None:
                results.append(next(others))
                continue
            parts: list[Any] = [outcomes[call] for call in slot.plan.calls]
            parts += [next(others) for words in (slot.plan.read, slot.plan.rest) if words]
            try:
                results.append(native(client, slot.plan, parts, slot.command[1]))
            except Exception as error:
                results.append(error)
        return results


def checked(results: list[Any], raise_on_error: bool) -> list[Any]:
    """The results of a pipeline; raises the first error among them if asked to."""
    for result in results if raise_on_error else ():
        if isinstance(result, Exception):
            raise result
    return results


def native(client: Any, plan: Plan, outcomes: list[Any], options: dict[str, Any]) -> Any:
    """The reply that redis-py would have given to the command itself. Raises what was refused."""
    replies = []
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        replies.append(outcome.reply if isinstance(outcome, Written) else outcome)
    reply = plan.combine(replies)
    if plan.read or plan.rest:
        return reply
    if plan.name in ("JSON.NUMINCRBY", "JSON.NUMMULTBY") and _protocol(client) == 3:
        reply = json.loads(reply)
    callback: Callable[..., Any] | None = client.response_callbacks.get(plan.name)
    options = {name: value for name, value in options.items() if name != "keys"}
    return callback(reply, **options) if callback else reply


def _protocol(client: Any) -> int:
    return int(client.connection_pool.connection_kwargs.get("protocol") or 2)
