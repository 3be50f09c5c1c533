"""What no application means to write, and one day does: odd documents and keys."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis.asyncio

from recipes.streams import (
    AsyncWriteBehind,
    CapturingRedis,
    Refused,
    Sink,
    WriteBehind,
)
from recipes.streams.verbs.looking import same
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.working import QUICK, Start
from tests.recipes.streams.writing import KEY, drained, entries, letters, needs_json


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ITSELF: dict[str, Any] = {}
ITSELF["itself"] = [ITSELF]
NEVER = {
    "not a number": float("nan"),
    "no end": float("inf"),
    "a set": {1},
    "half a character": "\ud800",
    "65 bits": 2**63,
    "65 bits in a tuple": (2**63,),
    "deep": nested(10_000),
    "itself": ITSELF,
}
NEVER_AS_TEXT = [
    '{"n": NaN}', '{"n": 1e400}', '{"n": "\\ud800"}', f'{{"n": {2**63}}}', '{"n": "\ud800"}',
    f'{{"n": {"[" * 10_000}{"]" * 10_000}}}', "{'n': 1}", "[1]", '{"_v": 1}', "",
]  # fmt: skip


@pytest.mark.parametrize("bad", NEVER.values(), ids=NEVER)
def test_a_value_that_no_database_takes_is_refused_wherever_it_stands(
    wb: WriteBehind, bad: Any
) -> None:
    wb.set(KEY, {"list": []})
    for write in (
        lambda: wb.set(KEY, {"n": bad}),
        lambda: wb.merge(KEY, {"n": bad}),
        lambda: wb.set_path(KEY, "$.n", bad),
        lambda: wb.append(KEY, "$.list", bad),
        lambda: wb.update(KEY, lambda _: {"n": bad}),
    ):
        with pytest.raises(Refused):
            write()
    assert wb.get(KEY) == {"list": []}
    assert len(entries(wb)) == 1


@pytest.mark.parametrize("text", NEVER_AS_TEXT, ids=range(len(NEVER_AS_TEXT)))
def test_a_text_that_no_database_takes_is_refused(
    wb: WriteBehind, capturing: CapturingRedis, text: str
) -> None:
    for write in (
        lambda: wb.set(KEY, text),
        lambda: wb.set(KEY, text.encode(errors="surrogatepass")),
        lambda: capturing.set(KEY, text),
        lambda: capturing.execute_command("JSON.SET", KEY, "$", text),
    ):
        with pytest.raises(Refused):
            write()
    assert entries(wb) == []


def test_odd_numbers_and_texts_are_the_same_in_both_stores(
    wb: WriteBehind, sink: Sink, start_worker: Start
) -> None:
    odd = {
        "zero": -0.0, "over 53 bits": 2**53 + 1, "most": 2**63 - 1, "least": -(2**63), "tiny": 5e-324,
        "huge": 1.7976931348623157e308, "one": 1.0, "deep": nested(90), "empty": {"": {}, "l": []},
        "signs": "\u2028 \x7f \U0001f3ac \\ \" ' ` $ {p01}", "$name": 1, "a.b": 1, "none": None,
    }  # fmt: skip
    wb.set(KEY, odd)
    wb.set("Movie:text", json.dumps(odd, indent=1))
    wb.set("Movie:twice", '{"n": 1, "n": 2}')
    start_worker(sink)
    drained(wb)
    assert letters(wb) == []
    for key, meant in ((KEY, odd), ("Movie:text", odd), ("Movie:twice", {"n": 2})):
        assert wb.get(key) == meant
        stored = sink.read(key)
        assert stored is not None
        assert same(stored.document, meant)


@pytest.mark.parametrize(
    "key",
    [b"Movie:\0", b"Movie:\xff", b"Movie:" + b"x" * (512 << 10)],
    ids=["NUL", "no text", "long"],
)
def test_keys_that_no_database_takes_are_refused_of_any_command(
    wb: WriteBehind, capturing: CapturingRedis, key: bytes
) -> None:
    for words in (
        ("SET", key, "{}"),
        ("DEL", key),
        ("EXPIRE", key, 10),
        ("RENAME", KEY, key),
        ("RENAME", key, KEY),
    ):
        with pytest.raises(Refused, match="key"):
            capturing.execute_command(*words)
    assert entries(wb) == []


@needs_json
@pytest.mark.usefixtures("redis")
def test_odd_input_to_the_client_for_asyncio(redis_server: PlainRedis) -> None:
    async def work() -> None:
        client = AsyncWriteBehind(redis.asyncio.Redis.from_url(redis_server.url), QUICK.partitions)
        await client.set(KEY, {"n": 1, "list": []})
        for bad in NEVER.values():
            with pytest.raises(Refused):
                await client.set(KEY, {"n": bad})
            with pytest.raises(Refused):
                await client.append(KEY, "$.list", bad)
        assert await client.get(KEY) == {"n": 1, "list": []}
        await client.redis.aclose()  # type: ignore[attr-defined]

    asyncio.run(work())
