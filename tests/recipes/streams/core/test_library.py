"""The function library in Redis: an older one is replaced, a newer one is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from recipes.streams import (
    Misconfigured,
    Partitions,
    WriteBehind,
)
from recipes.streams.core.library import SOURCE, VERSION
from tests.recipes.streams.writing import KEY, entries, needs_json


def test_an_older_library_is_replaced_also_while_the_client_runs(
    wb: WriteBehind, redis: Redis
) -> None:
    wb.set(KEY, {"n": 1})
    older = SOURCE.replace(
        f"VERSION, OLDEST = {VERSION}, ", f"VERSION, OLDEST = {VERSION - 1}, 0 -- "
    )
    redis.function_load(older, replace=True)
    wb.set(KEY, {"n": 2})
    assert redis.fcall("wb_version", 0) == VERSION
    redis.function_flush()
    assert wb.get(KEY) == {"n": 2}
    redis.function_flush()
    wb.set(KEY, {"n": 3})
    assert len(entries(wb)) == 3


def test_a_newer_library_is_left_alone(wb: WriteBehind, redis: Redis) -> None:
    newer = SOURCE.replace(f"VERSION, OLDEST = {VERSION}, ", "VERSION, OLDEST = 99, 98 -- ")
    redis.function_load(newer)
    with pytest.raises(Misconfigured, match="version 99"):
        wb.set(KEY, {"n": 1})
    assert redis.fcall("wb_version", 0) == 99


@needs_json
def test_a_client_of_the_version_before_goes_on(redis: Redis) -> None:
    """It says so in the words of version 4, which numbered its calls as they come."""
    wb = WriteBehind(redis, Partitions(1))
    wb.prepare()
    at = wb.partitions[0]

    def write(number: int, *change: str) -> Any:
        head = f"4 lane {number} - - 1000 1000000 -"
        keys = (KEY, at.stream, at.state, at.due)
        return redis.execute_command("FCALL", "wb_write", 4, *keys, head, *change)

    first = write(9, "JSON.SET", "$", '{"n": 0}')
    assert first[1] == b"OK"
    assert write(9, "JSON.SET", "$", '{"n": 0}') == first
    second = write(10, "JSON.NUMINCRBY", "$.n", "1")
    assert write(10, "JSON.NUMINCRBY", "$.n", "1") == second
    with pytest.raises(ResponseError, match="WBLATE"):
        write(9, "JSON.SET", "$", '{"n": 0}')
    assert wb.get(KEY) == {"n": 1}
    assert len(entries(wb)) == 2
