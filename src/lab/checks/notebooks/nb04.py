"""Notebook 04: run a function inside Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis

from lab.cells.magics import readable_error
from lab.checks import needs
from lab.checks.aside import aside
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.checks.registered import run, undone

_STRANGERS: dict[str, dict[Any, Any]] = {
    "person:check-1": {"name": "Ágnes Keleti", "age": "100"},
    "person:check-2": {"name": "Mia at forty", "age": "40"},
    "person:check-3": {"name": "Ada at nine", "age": "9"},
}
"""People that only the check knows: an age of three digits, one of one digit, one at the edge."""


def _check_script(answer: Answer) -> str:
    script = answer.text("script", "a script")
    client = answer.stack.redis
    with _among(client, _STRANGERS):
        try:
            names = _results(client, script)
        except Wrong as wrong:
            raise Wrong(f"{wrong}{_odd_one(client)}") from None
        _judge_names(names, _people(client))
    return "Right for your people, and for three that only the check knows."


@contextmanager
def _among(client: redis.Redis, strangers: Mapping[str, dict[Any, Any]]) -> Iterator[None]:
    """Put people beside the learner's until the block ends; nothing stays that it registers."""
    with undone(client):
        with aside(client, *strangers):
            for key, fields in strangers.items():
                client.hset(key, mapping=fields)
            yield


def _results(client: redis.Redis, script: str) -> list[str]:
    """Run the script and return its results; raises Wrong when it failed or ran nothing."""
    try:
        reply: Any = run(client, script)
    except redis.ResponseError as error:
        raise Wrong(f"The script itself failed: {_last_line(str(error))}") from None
    if not isinstance(reply, list) and ".register(" in script:
        raise Wrong(
            "It ends in `.register`, so it waits for changes. The exercise asks for an answer now: `.run`."
        )
    if not isinstance(reply, list):
        raise Wrong(f'The reply is {reply}: nothing was run. Does it end with `.run("person:*")`?')
    results, errors = reply
    if errors:
        raise Wrong(f"A step failed on a record: {_last_line(errors[0])}")
    return list(results)


def _odd_one(client: redis.Redis) -> str:
    """Name a key of the learner's own that may have stopped a script which is right for all others."""
    if odd := _no_hash(client):
        return _to_be_deleted(odd, "is no hash")
    for key in sorted(client.scan_iter("person:*", count=1000)):
        if not client.hexists(key, "name") or _age(client.hget(key, "age")) is None:
            return _to_be_deleted(key, "lacks a name, or a number for an age")
    return ""


def _no_hash(client: redis.Redis) -> str | None:
    """Return a key under `person:*` that holds no person."""
    found = sorted(client.scan_iter("person:*", count=1000))
    return next((key for key in found if client.type(key) != "hash"), None)


def _to_be_deleted(key: str, what: str) -> str:
    return (
        f' (`{key}` {what}, which this exercise does not ask for: `stack.redis.delete("{key}")`.)'
    )


def _age(text: str | None) -> int | None:
    """Return an age as Python reads it; None for what is no whole number, or not there."""
    try:
        return int(text or "")
    except ValueError:
        return None


def _people(client: redis.Redis) -> list[tuple[str, int]]:
    """Return name and age of everyone under `person:*` who has both. Two may have one name."""
    found = [client.hgetall(key) for key in client.scan_iter("person:*", _type="hash")]
    aged = [(person.get("name"), _age(person.get("age"))) for person in found]
    return [(name, age) for name, age in aged if name is not None and age is not None]


def _judge_names(names: list[str], people: list[tuple[str, int]]) -> None:
    wanted = Counter(name for name, age in people if age >= 40)
    ages = dict(sorted(people, key=lambda person: person[1]))
    unknown = sorted(set(names) - set(ages))
    if unknown:
        raise Wrong(f"A result is not a name: `{unknown[0]}`. One `map` makes a name of a record.")
    if "Ágnes Keleti" not in names and "Ada at nine" in names:
        raise Wrong(
            "A nine-year-old is in and one of 100 is not: those ages were compared as text."
        )
    if missing := sorted(wanted - Counter(names)):
        raise Wrong(f"{missing[0]!r} is missing, who is {ages[missing[0]]}.")
    if extra := [name for name in names if name not in wanted]:
        raise Wrong(f"{extra[0]!r} should not be there, who is {ages[extra[0]]}.")
    if doubled := sorted(Counter(names) - wanted):
        raise Wrong(f"{doubled[0]!r} is there more often than people of that name are 40 or older.")
    if names != sorted(names):
        raise Wrong("The names are the right ones, but not in alphabetical order.")


def _last_line(error: str) -> str:
    return readable_error(error).strip().splitlines()[-1]


FORTY = Exercise(
    id="04-1",
    asks=("script",),
    stub="""\
script = ...  # a script that returns the names of all who are 40 or older, in order
""",
    solution='''\
script = """
old_enough = lambda record: int(record["value"]["age"]) >= 40
name = lambda record: record["value"]["name"]
GB("KeysReader").filter(old_enough).map(name).sort().run("person:*")
"""
''',
    hints=(
        "The script is text, in three quotes. It needs a reader, three steps and an action.",
        "`filter` keeps a record when its function is true. A hash's values are text: "
        '`int(record["value"]["age"])` is a number.',
        'After `filter` comes `.map(lambda record: record["value"]["name"])`, then `.sort()`, '
        'then `.run("person:*")`.',
    ),
    check=_check_script,
    needs=needs.gears,
)

_COUNTED: dict[str, dict[Any, Any]] = {
    "person:check-4": {"name": "Noor", "age": "9"},
    "person:check-5": {"name": "Otto", "age": "109"},
    "person:check-6": {"name": "Pia", "age": "40"},
    "person:check-7": {"name": "Quentin", "age": "forty"},
    "person:check-8": {"name": "Rosa"},
}


def _check_census(answer: Answer) -> str:
    script = answer.text("census", "a script")
    client = answer.stack.redis
    with _among(client, _COUNTED):
        _judge_census(_census(client, script), client)
    return "Everybody is counted once, and who has no age stops nobody."


def _census(client: redis.Redis, script: str) -> list[str]:
    """Run the script; a record that it fails on is told as what it costs."""
    try:
        return _results(client, script)
    except Wrong as wrong:
        if "A step failed on a record" not in str(wrong):
            raise
        if strange := _no_hash(client):
            raise Wrong(f"{wrong}{_to_be_deleted(strange, 'is no hash')}") from None
        raise Wrong(
            f"{wrong}. One who says `forty` for an age, or nothing, ends the whole batch: deal with "
            "odd records inside the function."
        ) from None


def _judge_census(lines: list[str], client: redis.Redis) -> None:
    wanted: dict[str, int] = {}
    for key in client.scan_iter("person:*", _type="hash"):
        age = _age(client.hget(key, "age"))
        decade = "unknown" if age is None else str(age // 10 * 10)
        wanted[decade] = wanted.get(decade, 0) + 1
    counts: dict[str, int] = {}
    for line in lines:
        decade, colon, count = line.partition(": ")
        if (
            not colon
            or not count.isdigit()
            or decade.lstrip("-").strip("0123456789") not in ("", "unknown")
        ):
            raise Wrong(f"A result is `{line}`, and not of the form `30: 2` or `unknown: 1`.")
        if decade in counts:
            raise Wrong(f"`{decade}` is there twice: all of one decade belong together.")
        counts[decade] = int(count)
    if strange := sorted(set(counts) - set(wanted)):
        raise Wrong(f"Nobody is of the decade `{strange[0]}`: 34 is of 30, 109 of 100, 9 of 0.")
    for decade, right in wanted.items():
        if (mine := counts.get(decade, 0)) != right:
            told = "they have to be somewhere" if decade == "unknown" else "who is missing?"
            raise Wrong(f"{right} are in `{decade}`, and you count {mine}: {told}.")


CENSUS = Exercise(
    id="04-2",
    asks=("census",),
    stub="""\
census = ...  # a script of your own, from its first line
""",
    solution='''\
census = """
def decade(record):
    try:
        return str(int(record["value"]["age"]) // 10 * 10)
    except (KeyError, ValueError):
        return "unknown"

line = lambda group: "%s: %s" % (group["key"], group["value"])
GB("KeysReader").countby(decade).map(line).run("person:*")
"""
''',
    hints=(
        "First the decade of one person, as a function. Then a step that counts how many have which.",
        "`countby(f)` gives a record for each value of `f`, with `key` and `value`. What does `f` return "
        "for somebody without an age?",
        '`GB("KeysReader").countby(decade).map(line).run("person:*")`, where `decade` catches KeyError and '
        'ValueError, and `line` makes `30: 2` of `{"key": "30", "value": 2}`.',
    ),
    check=_check_census,
    needs=needs.gears,
)

EXERCISES = (FORTY, CENSUS)
