"""Whether `change` does all in one step, refuses at the cap, and does once what is sent twice."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import redis

from lab.checks.exercise import Answer, Wrong, ask
from lab.checks.own_recipe.suite import KEY, ONCE, QUEUE, Function, agrees, clean


def check(answer: Answer) -> str:
    """Judge `change` by itself, then by properties 1 and 7."""
    change = answer.function("change")
    with clean(answer.stack.redis_direct) as client:
        _judge_capture(change, client)
        _judge_deaths(change, client)
        _judge_bound(change, client)
        _judge_once(change, client)
    return "Changed, queued and counted in one step, or not at all. " + agrees(
        {"change": change}, 1, 7
    )


def _call(
    change: Function, client: Any, command: list[str], case: str, cap: int = 100, once: str = ""
) -> Any:
    return ask(change, client, QUEUE, KEY, command, cap, ONCE + (once or case), case=case)


_JOY = {"stars": 4, "words": "It's a joy"}
# Case, command, what Redis has afterwards, and the misconception.
_COMMANDS: tuple[tuple[str, list[str], dict[str, Any] | None, str], ...] = (
    ("a new review", ["JSON.SET", "$", json.dumps(_JOY)], _JOY, ""),
    (
        "one more star",
        ["JSON.NUMINCRBY", "$.stars", "1"],
        {**_JOY, "stars": 5},
        " It carries the whole document as it is after the command, not the command.",
    ),
    ("words taken back", ["JSON.DEL", "$.words"], {"stars": 5}, ""),
    ("a review deleted", ["DEL"], None, " After a delete it is the text `null`."),
)


def _judge_capture(change: Function, client: redis.Redis) -> None:
    for case, command, wanted, why in _COMMANDS:
        before = client.xlen(QUEUE)
        _call(change, client, command, case)
        found = client.json().get(KEY)
        if found != wanted:
            raise Wrong(
                f"For {case} Redis has {found!r}, not {wanted!r}: run the command on the key."
            )
        new = client.xrange(QUEUE)[before:]
        if len(new) != 1:
            raise Wrong(f"For {case} there are {len(new)} new entries in the queue, not one.")
        if not isinstance(new[0][1].get("doc"), str) or new[0][1].get("key") != KEY:
            raise Wrong(f"For {case} the entry is {new[0][1]!r}: it has a `key` and a `doc`.")
        if _document(new[0][1], case) != wanted:
            raise Wrong(f"For {case} the entry's `doc` is `{new[0][1]['doc']}`.{why}")


def _document(entry: dict[str, str], case: str) -> Any:
    """Return what an entry's `doc` says. Raises Wrong when that is no JSON."""
    try:
        return json.loads(entry["doc"])
    except ValueError:
        raise Wrong(
            f"For {case} the entry's `doc` is `{entry['doc']}`, which is no JSON. `JSON.GET KEYS[1]` in the "
            "script is the document as text, and Lua's `nil` where there is none."
        ) from None


_NAMES = {1: "first", 2: "second", 3: "third"}


class _Died(Exception):
    """An app's process is no more."""


class _Mortal(redis.Redis):
    """A client whose app dies after so many requests."""

    left = 0

    def execute_command(self, *words: Any, **options: Any) -> Any:
        said = super().execute_command(*words, **options)
        self.left -= 1
        if self.left <= 0:
            raise _Died
        return said


def _judge_deaths(change: Function, client: redis.Redis) -> None:
    mortal = _Mortal(connection_pool=client.connection_pool)
    for requests in _NAMES:
        mortal.left = requests
        document = json.dumps({"stars": requests})
        _call_until_dead(change, mortal, document, f"an app that dies after {requests} request(s)")
        kept = client.json().get(KEY) == {"stars": requests}
        queued = any(
            _document(entry, "an app that dies") == {"stars": requests}
            for _, entry in client.xrange(QUEUE)
        )
        if kept != queued:
            where = (
                "Redis has the review, and no entry says so"
                if kept
                else "an entry is there, and Redis has no such review"
            )
            raise Wrong(
                f"An app that dies after its {_NAMES[requests]} request leaves the two apart: {where}. "
                "Both belong into one request, which Redis runs as one step: a script."
            )


def _call_until_dead(change: Function, mortal: _Mortal, document: str, case: str) -> None:
    def attempt() -> None:
        with suppress(_Died):
            change(mortal, QUEUE, KEY, ["JSON.SET", "$", document], 100, f"{ONCE}-{case}")

    ask(attempt, case=case)


def _judge_bound(change: Function, client: redis.Redis) -> None:
    waiting, before = client.xlen(QUEUE), client.json().get(KEY)

    def is_refused() -> bool:
        try:
            change(client, QUEUE, KEY, ["JSON.SET", "$", '{"stars": 9}'], waiting, f"{ONCE}-full")
        except redis.RedisError:
            return True
        return False

    try:
        refused = ask(is_refused, case=f"a queue of {waiting} entries, of which {waiting} may wait")
    except Wrong as wrong:
        raise Wrong(
            f"{wrong} To refuse is right, but an app waits for errors of Redis: let the script do it, with "
            "`redis.error_reply`."
        ) from None
    if not refused:
        raise Wrong(
            f"{waiting} entries wait and {waiting} may (`cap`), and one more was told OK. A queue without an end "
            "fills Redis; one that forgets loses what was promised. Refuse: `redis.error_reply`."
        )
    if client.json().get(KEY) != before:
        raise Wrong(
            "A full queue refused the change, and Redis has it all the same: ask first, then change."
        )
    if client.xlen(QUEUE) != waiting:
        raise Wrong("A full queue refused the change, and has lost or gained an entry over it.")


def _judge_once(change: Function, client: redis.Redis) -> None:
    _call(change, client, ["JSON.SET", "$", '{"stars": 1}'], "a review of one star")
    for _ in range(2):
        _call(
            change,
            client,
            ["JSON.NUMINCRBY", "$.stars", "1"],
            "a star that is sent again",
            once="again",
        )
    if (stars := _stars(client)) != 2:
        raise Wrong(
            f"One star was added, its reply was lost, and it was sent again under the same `once`: there are {stars} "
            "stars, not 2. Who gets no reply cannot know; the key `once` can remember that it is done."
        )
    _call(change, client, ["JSON.NUMINCRBY", "$.stars", "1"], "another star", once="another")
    if _stars(client) != 3:
        raise Wrong("Another change, with a `once` of its own, was taken for the one before.")


def _stars(client: redis.Redis) -> Any:
    return (client.json().get(KEY) or {}).get("stars")
