"""Notebook 10: do without Gears."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis

from lab.checks import needs
from lab.checks.aside import aside
from lab.checks.exercise import Answer, Exercise, Wrong, ask

_Entry = tuple[str, dict[str, str]]


def _entry(id: str, key: str) -> _Entry:
    return id, {"key": key, "pause": f'{{"seconds": {id.partition("-")[0]}}}'}


# Case, entries, the ids of those that stay, and the misconception behind anything else.
_CASES: tuple[tuple[str, list[_Entry], set[str], str], ...] = (
    ("no entries", [], set(), "A batch may be empty."),
    ("one entry", [_entry("5-0", "ann")], {"5-0"}, "It is the newest of its key."),
    (
        "two keys in order",
        [_entry("5-0", "ann"), _entry("6-0", "bob"), _entry("7-0", "ann")],
        {"6-0", "7-0"},
        "Each key keeps one, its newest.",
    ),
    (
        "two entries out of order",
        [_entry("7-0", "ann"), _entry("5-0", "ann")],
        {"7-0"},
        "The last in the list need not be the newest: the id decides, not the place.",
    ),
    (
        "9-0 and then 10-0, and the other way round",
        [_entry("9-0", "ann"), _entry("10-0", "ann"), _entry("10-0", "bob"), _entry("9-0", "bob")],
        {"10-0"},
        "As text, 9 is greater than 10. `version` makes ids that compare as text.",
    ),
    (
        "two entries of one millisecond",
        [_entry("5-10", "ann"), _entry("5-9", "ann")],
        {"5-10"},
        "The counter behind the dash is a part of the id, and a number too.",
    ),
)


def _check_newest(answer: Answer) -> str:
    newest = answer.function("newest")
    for case, entries, wanted, why in _CASES:
        given = ask(newest, list(entries), case=case)
        if not isinstance(given, Iterable):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of pairs.")
        pairs: list[Any] = ask(list, given, case=case)
        if strange := [pair for pair in pairs if pair not in entries]:
            raise Wrong(
                f"For {case} your function returned `{strange[0]!r}`, which is no pair of the list."
            )
        keys = [entry["key"] for _, entry in pairs]
        if len(keys) != len(set(keys)):
            raise Wrong(f"For {case} a key is there twice. {_CASES[2][3]}")
        ids, every_key = {id for id, _ in pairs}, {entry["key"] for _, entry in entries}
        if set(keys) != every_key:
            raise Wrong(f"For {case} a key is missing. {_CASES[2][3]}")
        if ids != wanted:
            raise Wrong(f"For {case} the ids {sorted(ids)} stayed, not {sorted(wanted)}. {why}")
    return f"Right in all {len(_CASES)} cases: the order of arrival no longer matters."


NEWEST = Exercise(
    id="10-1",
    asks=("newest",),
    stub="""\
def newest(entries):
    return ...  # of each key only the pair (entry_id, entry) with the greatest id
""",
    solution="""\
def newest(entries):
    def number(pair):
        milliseconds, counter = pair[0].split("-")
        return int(milliseconds), int(counter)

    last = {}
    for pair in sorted(entries, key=number):
        last[pair[1]["key"]] = pair
    return list(last.values())
""",
    hints=(
        "The dictionary of the notebook is right for entries in order. Who could put them in order?",
        "Sort the pairs first. By what? Not by the text of the id.",
        '`sorted(entries, key=…)` by two whole numbers: `id.split("-")`, each through `int`.',
    ),
    check=_check_newest,
)

_LOST, _UNDONE, _BACK, _FULL = "lost", "undone", "back", "full"

_WITHOUT = {
    "the script: SET, then XADD": (
        _LOST,
        "Redis said OK to the first call. What if there is no second one?",
    ),
    "acknowledge after the write": (
        _LOST,
        "Who has the entry, when its only reader dies before it has written?",
    ),
    "the version fence": (
        _UNDONE,
        "A worker wakes up late, and writes what it had in its hands. Over what?",
    ),
    "the tombstone": (
        _BACK,
        "A late write finds no document. What does an upsert do then?",
    ),
    "MAXLEN instead of a refusal": (
        _LOST,
        "The stream stays short. What has become of its oldest entries?",
    ),
    "any bound at all": (
        _FULL,
        "Nothing is forgotten and nobody is refused. Where do the entries stay?",
    ),
}


def _check_without(answer: Answer) -> str:
    answer.judge_cases("without", _WITHOUT)
    return "Each line is there for a failure that you have seen."


WITHOUT = Exercise(
    id="10-2",
    asks=("without",),
    stub="""\
without = {  # "lost", "undone", "back" or "full"
    "the script: SET, then XADD": ...,
    "acknowledge after the write": ...,
    "the version fence": ...,
    "the tombstone": ...,
    "MAXLEN instead of a refusal": ...,
    "any bound at all": ...,
}
""",
    solution="""\
without = {
    "the script: SET, then XADD": "lost",
    "acknowledge after the write": "lost",
    "the version fence": "undone",
    "the tombstone": "back",
    "MAXLEN instead of a refusal": "lost",
    "any bound at all": "full",
}
""",
    hints=(
        "Each of these was taken away from you once, in a section above. What did you see there?",
        "Two of them protect MongoDB from what comes late; the others protect what was acknowledged.",
        "Three answers are `lost`. Late over newer is `undone`, late over deleted is `back`.",
    ),
    check=_check_without,
)


_QUEUE, _GROUP = "10:check", "workers"
# Milliseconds; the task's limit is 30 seconds, and who takes it for 30 milliseconds is to be found out.
_BUSY, _ABANDONED = 20_000, 40_000


def _check_next_batch(answer: Answer) -> str:
    next_batch = answer.function("next_batch")
    client = answer.stack.redis
    with aside(client, _QUEUE):
        client.xgroup_create(_QUEUE, _GROUP, "0", mkstream=True)
        if given := _batch(next_batch, client, "an empty queue"):
            raise Wrong(f"For an empty queue your function returned `{given!r}`, not `[]`.")
        ids = _scene(client)
        first = _batch(next_batch, client, "its first call")
        again = _batch(next_batch, client, "a second call, before anything was acknowledged")
        if first and not {id for id, _ in first} <= {id for id, _ in again}:
            raise Wrong(
                "What was taken and not acknowledged did not come again. A worker that crashes and starts "
                "again under its name finds its own entries with `0`, not with `>`."
            )
        _judge_taken(_all_batches(next_batch, client), ids)
    return "Mine first, then what the dead have left, then what is new; the living keep theirs."


def _scene(client: redis.Redis) -> dict[str, str]:
    """Four entries: taken by me before a crash, by a dead worker, by a living one, by nobody."""
    ids = {}
    for owner in ("mine", "dead", "living", "new"):
        ids[owner] = str(client.xadd(_QUEUE, {"key": owner}))
        if owner != "new":
            name = "me" if owner == "mine" else owner
            client.xreadgroup(_GROUP, name, {_QUEUE: ">"}, count=1)
    for name, idle in (("dead", _ABANDONED), ("living", _BUSY)):
        client.xclaim(_QUEUE, _GROUP, name, 0, [ids[name]], idle=idle)
    return ids


def _batch(next_batch: Any, client: redis.Redis, case: str) -> list[Any]:
    given = ask(next_batch, client, _QUEUE, "me", case=case)
    pairs = isinstance(given, list) and all(
        isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[1], dict)
        for pair in given
    )
    if not pairs:
        raise Wrong(
            f"For {case} your function returned `{given!r}`, not a list of pairs (entry_id, entry). "
            "`XREADGROUP` answers with a list of queues, each with its entries: unpack it."
        )
    return list(given)


def _all_batches(next_batch: Any, client: redis.Redis) -> list[str]:
    """Call, acknowledge and call again, until nothing comes. Returns the ids, in their order."""
    taken: list[str] = []
    for _ in range(10):
        batch = _batch(next_batch, client, "a queue of four entries")
        if not batch:
            return taken
        taken += [id for id, _ in batch]
        client.xack(_QUEUE, _GROUP, *[id for id, _ in batch])
    raise Wrong(
        "Each batch was acknowledged, and after ten calls your function still returns one. `XRANGE` shows all that "
        "is in the stream, no matter which worker has it; the group knows what is left to do: `XREADGROUP`."
    )


def _judge_taken(taken: list[str], ids: dict[str, str]) -> None:
    if ids["living"] in taken:
        raise Wrong(
            "It took an entry of a worker that is alive and has had it for 20 seconds: both write it. "
            "Only what has been idle for 30 seconds is abandoned, and Redis counts milliseconds."
        )
    for owner, why in (
        ("mine", "An entry that you took before a crash is missing: `>` gives only new ones."),
        ("dead", "An entry of a dead worker is missing, and nobody else will ever write it."),
        ("new", "The new entry is missing: after the old ones come those that nobody has."),
    ):
        if ids[owner] not in taken:
            raise Wrong(why)
    if len(taken) != len(set(taken)):
        raise Wrong("An entry came again although it was acknowledged.")


NEXT_BATCH = Exercise(
    id="10-3",
    asks=("next_batch",),
    stub="""\
def next_batch(r, queue, me): ...  # yours: a list of (entry_id, entry) that `me` has to write now
""",
    solution="""\
def next_batch(r, queue, me):
    mine = r.xreadgroup("workers", me, {queue: "0"}, count=100)
    if mine and mine[0][1]:
        return mine[0][1]
    abandoned = r.xautoclaim(queue, "workers", me, min_idle_time=30_000, count=100)[1]
    if abandoned:
        return abandoned
    new = r.xreadgroup("workers", me, {queue: ">"}, count=100)
    return new[0][1] if new else []
""",
    hints=(
        "There are three places from which entries come. Which one is the most urgent after a crash?",
        "`XREADGROUP` with the id `0` gives what `me` has and has not acknowledged, with `>` what nobody has.",
        'In between: `xautoclaim(queue, "workers", me, min_idle_time=30_000)`; its second value are the entries.',
    ),
    check=_check_next_batch,
    needs=needs.redis_takes_writes,
)

EXERCISES = (NEWEST, WITHOUT, NEXT_BATCH)
