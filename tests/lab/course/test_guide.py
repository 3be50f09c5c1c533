"""What the instructors' guide quotes is what people see, and what it tells to do is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

import lab
from lab.cli import main
from lab.stack.model import Stack
from tests.plugins.sandbox import REPOSITORY
from tests.project.files import targets

GUIDE = (REPOSITORY / "docs/instructor-guide.md").read_text(encoding="utf-8")
TROUBLES = GUIDE.partition("## When something goes wrong")[2].partition("\n## ")[0]
QUOTED = [
    message
    for row in re.findall(r"^\| (?!what they|---)(.+?) \|", TROUBLES, re.MULTILINE)
    for message in re.findall(r'"([^"]+ [^"]+)"', row)
]
REDIS_SAYS = "command not allowed when used memory > 'maxmemory'"


def sources() -> str:
    """The text of everything that speaks to a learner, its strings joined as Python joins them."""
    files = [
        path.read_text(encoding="utf-8") for path in Path(lab.__file__).parents[1].rglob("*.py")
    ]
    return re.sub(r'"\s*\n?\s*f?"', "", "\n".join(files))


@pytest.mark.parametrize("message", sorted(set(QUOTED) - {REDIS_SAYS}))
def test_a_message_that_the_guide_quotes_is_said(message: str) -> None:
    said = sources()
    pieces = [piece.strip() for piece in message.split("…")]
    assert [piece for piece in pieces if piece not in said] == []


def test_a_bound_of_memory_that_was_left_is_taken_back(stack: Stack) -> None:
    assert REDIS_SAYS in QUOTED
    stack.redis.config_set("maxmemory", 1)
    with pytest.raises(redis.OutOfMemoryError, match=REDIS_SAYS):
        stack.redis.set("a", 1)
    lab.prepare("movies")
    assert stack.redis.set("a", 1)


def test_what_the_guide_tells_to_call_is_there() -> None:
    assert len(QUOTED) > 6
    assert {name for name in re.findall(r"lab\.(\w+)\(", GUIDE) if not hasattr(lab, name)} == set()
    assert set(re.findall(r"`lab ([a-z-]+)", GUIDE)) <= set(main.commands)
    assert set(re.findall(r"`make ([a-z-]+)", GUIDE)) <= targets()
