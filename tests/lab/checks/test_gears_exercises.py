"""The exercises of notebooks 04 and 05 tell a learner what is wrong, each wrong answer its own way."""

from __future__ import annotations

import pytest

import lab
from lab.checks import check, exercise
from lab.stack.gears import registrations
from lab.stack.model import Stack

WRONG_SCRIPTS = {
    "a number": (7, "is of type int"),
    "no Python": ("GB(", "The script itself failed"),
    "no action": ("GB()", "nothing was run"),
    "no number": ('GB().map(lambda r: r["value"]["age"] + 1).run("person:*")', "A step failed"),
    "whole records": ('GB().run("person:*")', "not a name"),
    "everybody": (
        'GB().map(lambda r: r["value"]["name"]).sort().run("person:*")',
        "'Ada at nine' should not be there, who is 9",
    ),
    "ages as text": (
        'GB().filter(lambda r: r["value"]["age"] >= "40").map(lambda r: r["value"]["name"])'
        '.run("person:*")',
        "compared as text",
    ),
    "more than forty": (
        'GB().filter(lambda r: int(r["value"]["age"]) > 40).map(lambda r: r["value"]["name"])'
        '.run("person:*")',
        "'Mia at forty' is missing, who is 40",
    ),
    "in reverse": (
        'GB().filter(lambda r: int(r["value"]["age"]) >= 40).map(lambda r: r["value"]["name"])'
        '.sort(reverse=False).run("person:*")',
        "not in alphabetical order",
    ),
}

COUNT = """
def decade(record):
    {}

GB().countby(decade).map(lambda g: "%s: %s" % (g["key"], g["value"])).run("person:*")
"""

WRONG_CENSUSES = {
    "a number": (7, "is of type int"),
    "registered": ("GB().register('person:*')", "asks for an answer now"),
    "trusting": (
        COUNT.format('return int(record["value"]["age"]) // 10 * 10'),
        "ends the whole batch",
    ),
    "ages and not decades": (
        COUNT.format('return record["value"].get("age", "unknown")'),
        "is `forty: 1`, and not of the form",
    ),
    "by the first digit": (
        COUNT.format('return record["value"].get("age", "u")[0].replace("f", "u") + "0"'),
        "not of the form",
    ),
    "without the unknown": (
        'GB().filter(lambda r: r["value"].get("age", "").isdigit())'
        '.countby(lambda r: int(r["value"]["age"]) // 10 * 10)'
        '.map(lambda g: "%s: %s" % (g["key"], g["value"])).run("person:*")',
        "they have to be somewhere",
    ),
    "not counted": (
        COUNT.format('return "unknown"').replace(".countby(decade)", "").replace("g[", "g.get("),
        "A step failed|not of the form|failed",
    ),
    "one line for each": (
        'GB().map(lambda r: "unknown: 1").run("person:*")',
        "`unknown` is there twice",
    ),
}

ADD = 'lambda r: execute("XADD", "changes", "*", "key", r["key"], "event", r["event"])'

WRONG_CAPTURES = {
    "a number": (7, "is of type int"),
    "an error": ("raise ValueError('no')", "ValueError: no"),
    "nothing registered": ("GB().run('player:*')", "0 registrations"),
    "another reader": ('GB("StreamReader").register("player:*")', "StreamReader"),
    "asynchronous": (f'GB().foreach({ADD}).register("player:*")', "mode is async"),
    "every key": (f'GB().foreach({ADD}).register(mode="sync")', "no player's"),
    "one event": (
        f'GB().foreach({ADD}).register("player:*", mode="sync", eventTypes=["del"])',
        "but holds [{'key': 'player:check', 'event': 'del'}]",
    ),
    "every event": (f'GB().foreach({ADD}).register("player:*", mode="sync")', "'expire'"),
    "another stream": (
        'GB().foreach(lambda r: execute("XADD", "other", "*", "key", r["key"]))'
        '.register("player:*", mode="sync")',
        "is empty",
    ),
    "a function that raises": (
        'GB().foreach(lambda r: r["nothing"]).register("player:*", mode="sync")',
        "KeyError: 'nothing'",
    ),
}


@pytest.mark.parametrize(("answer", "told"), WRONG_SCRIPTS.values(), ids=WRONG_SCRIPTS)
def test_a_wrong_script_is_told_why(stack: Stack, answer: object, told: str) -> None:
    lab.prepare("empty")
    verdict = check("04-1", answer)
    assert not verdict
    assert told in verdict.message


@pytest.mark.parametrize(("answer", "told"), WRONG_CENSUSES.values(), ids=WRONG_CENSUSES)
def test_a_wrong_census_is_told_why(stack: Stack, answer: object, told: str) -> None:
    lab.prepare("empty")
    verdict = check("04-2", answer)
    assert not verdict
    assert any(words in verdict.message for words in told.split("|")), verdict
    assert stack.redis.keys() == []


@pytest.mark.parametrize(("answer", "told"), WRONG_CAPTURES.values(), ids=WRONG_CAPTURES)
def test_a_wrong_capture_is_told_why(stack: Stack, answer: object, told: str) -> None:
    lab.prepare("empty")
    verdict = check("05-1", answer)
    assert not verdict
    assert told in verdict.message


@pytest.mark.parametrize(
    ("id", "failing"),
    [
        ("04-1", 'GB().map(lambda r: 1/0).run("person:*")'),
        ("05-1", 'GB().foreach(lambda r: 1/0).register("player:*", mode="sync")'),
    ],
)
def test_a_check_leaves_nothing_behind(stack: Stack, id: str, failing: str) -> None:
    lab.prepare("empty")
    asked = exercise(id)
    answers = asked.run(asked.solution, {})
    assert check(id, answers[asked.asks[0]])
    assert not check(id, failing)
    assert stack.redis.keys() == []
    assert registrations(stack.redis) == []
