"""The batch and event examples do what their first lines say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lab
from lab.cells.prepare import recipes
from lab.stack.gears import registrations
from lab.stack.model import Stack

pytestmark = pytest.mark.xdist_group("recipes")


def run(name: str) -> list[str]:
    """Run an example; its results."""
    reply = lab.run_gears(recipes() / name)
    return [] if reply == "OK" else reply[0]


@pytest.fixture
def people(stack: Stack) -> Stack:
    for number, age in enumerate((20, 30, 45)):
        stack.redis.hset(f"person:{number}", mapping={"age": age})
    stack.redis.hset("person:ageless", "name", "Orlando")
    stack.redis.set("person:note", "not a hash")
    stack.redis.set("personal", "no person")
    return stack


def test_hello_gears(stack: Stack) -> None:
    assert run("hello_gears.py") == ["Hello, Gears! I am shard 1."]
    stack.redis.execute_command("RG.CONFIGSET", "helloName", "Ada")
    assert run("hello_gears.py") == ["Hello, Ada! I am shard 1."]


def test_count_people(people: Stack) -> None:
    assert run("count_people.py") == ["5"]


def test_collect_into_set(people: Stack) -> None:
    for _ in range(2):
        assert run("collect_into_set.py") == ["5"]
    assert people.redis.smembers("people") == set(people.redis.keys("person:*"))


def test_average_of_hashes(people: Stack) -> None:
    [average] = run("average_of_hashes.py")
    assert float(average) == pytest.approx(95 / 3)


def test_delete_by_prefix(people: Stack) -> None:
    with pytest.raises(lab.LabError, match=r"RG\.CONFIGSET deletePrefix"):
        run("delete_by_prefix.py")
    people.redis.execute_command("RG.CONFIGSET", "deletePrefix", "person:?")
    assert run("delete_by_prefix.py") == []  # the prefix as it is written, not a pattern
    people.redis.execute_command("RG.CONFIGSET", "deletePrefix", "person:")
    assert run("delete_by_prefix.py") == ["5"]
    assert people.redis.keys() == ["personal"]


def test_dump_deleted(stack: Stack) -> None:
    for _ in range(2):  # the second run replaces the first
        run("dump_deleted.py")
    assert len(registrations(stack.redis)) == 1
    for key in ("I-AM-IMPORTANT:1", "I-AM-IMPORTANT:2", "i-am-not"):
        stack.redis.set(key, "x")
    stack.redis.delete("i-am-not", "I-AM-IMPORTANT:1")
    stack.redis.unlink("I-AM-IMPORTANT:2")
    lab.wait_until(lambda: stack.redis.xlen("deleted-keys") == 2, "both are in the log")
    logged = {fields["key"] for _, fields in stack.redis.xrange("deleted-keys")}
    assert logged == {"I-AM-IMPORTANT:1", "I-AM-IMPORTANT:2"}


def test_level_up(stack: Stack) -> None:
    for _ in range(2):
        run("level_up.py")
    assert len(registrations(stack.redis)) == 1
    levels = []
    for points in (999, 1, 500, 500, -1500):
        stack.redis.hincrby("player:ada", "score", points)
        levels.append(stack.redis.hget("player:ada", "level"))
    assert levels == [None, "2", "2", "3", "3"]
    stack.redis.hincrby("team:ada", "score", 5000)
    assert stack.redis.hget("team:ada", "level") is None


@pytest.mark.parametrize("script", sorted(recipes().glob("*.py")), ids=lambda script: script.name)
def test_redisgears_itself_could_read_it(script: Path) -> None:
    """RedisGears 1.2 has Python 3.7 inside."""
    ast.parse(script.read_text(), feature_version=(3, 7))
