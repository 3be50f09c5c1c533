"""Whether no crash between `read` and `acknowledge` loses an entry."""

from __future__ import annotations

from typing import Any

import redis

from lab.checks.exercise import Answer, Wrong, ask
from lab.checks.own_recipe.suite import KEY, QUEUE, Function, agrees, clean


def check(answer: Answer) -> str:
    """Judge `read` and `acknowledge` by themselves, then by property 2."""
    read, acknowledge = answer.function("read"), answer.function("acknowledge")
    with clean(answer.stack.redis_direct) as client:
        client.xgroup_create(QUEUE, "workers", "0", mkstream=True)
        if found := _batch(read, client, "an empty queue"):
            raise Wrong(f"For an empty queue `read` returned `{found!r}`, not `[]`.")
        ids = [client.xadd(QUEUE, {"key": KEY, "doc": str(number)}) for number in range(3)]
        first = _batch(read, client, "three entries")
        if [id for id, _ in first] != ids:
            raise Wrong(f"For three entries `read` returned {len(first)} of them.")
        if client.xlen(QUEUE) != 3:
            raise Wrong(
                "They have left the queue with `read`. If the worker dies now, nobody has them: MongoDB not yet, "
                "Redis no more. They leave in `acknowledge`, which is called when MongoDB has them."
            )
        if [id for id, _ in _batch(read, client, "a worker that starts again")] != ids:
            raise Wrong(
                "A worker died after `read`, its successor reads, and does not get them: `>` gives what nobody had "
                "yet. Look first at what was handed out and is not acknowledged: `0`."
            )
        ask(acknowledge, client, QUEUE, first, case="what was written")
        if client.xlen(QUEUE) or client.xpending(QUEUE, "workers")["pending"]:
            raise Wrong(
                "After `acknowledge` entries are left: acknowledged (`xack`) and taken out (`xdel`) are two things, "
                "and an empty queue has to mean that all is done."
            )
        new = client.xadd(QUEUE, {"key": KEY, "doc": "3"})
        if [id for id, _ in _batch(read, client, "a new entry")] != [new]:
            raise Wrong("When nothing is pending, `read` goes on with what is new: `>`.")
    return "An entry leaves when MongoDB has it, and not before. " + agrees(
        {"read": read, "acknowledge": acknowledge}, 2
    )


def _batch(read: Function, client: redis.Redis, case: str) -> list[Any]:
    given = ask(read, client, QUEUE, case=case)
    if not isinstance(given, list) or not all(
        isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in given
    ):
        raise Wrong(
            f"For {case} `read` returned `{given!r}`, not a list of pairs (entry_id, entry)."
        )
    return given
