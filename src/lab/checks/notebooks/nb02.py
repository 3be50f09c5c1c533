"""Notebook 02: start the stack and find its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lab.checks import needs
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.checks.strangers import answer_in_time, bound, serving
from lab.stack.ports import LOOPBACK


def _check_restart(answer: Answer) -> str:
    before, after = answer.text("before", "a run_id"), answer.text("after", "a run_id")
    if before == after:
        raise Wrong(
            f"Redis is the same process as before (run_id {after[:8]}…): it was not restarted."
        )
    now = answer.stack.redis.info("server")["run_id"]
    if after != now:
        raise Wrong(f"Redis's run_id is {now[:8]}… now. Run the exercise's cell, then check again.")
    if answer.stack.redis.get("02:note") != "still here":
        raise Wrong(
            "Redis was restarted, but the key `02:note` is gone. Were the data deleted? Then run the "
            "exercise's cell, and check again."
        )
    return "Another process, the same data: Redis read its append-only file when it started."


RESTART = Exercise(
    id="02-1",
    asks=("before", "after"),
    stub="""\
stack.redis.set("02:note", "still here")
before = stack.redis.info("server")["run_id"]
...  # stop Redis and start it again
after = stack.redis.info("server")["run_id"]
""",
    solution="""\
stack.redis.set("02:note", "still here")
before = stack.redis.info("server")["run_id"]
lab.stop("redis")
lab.start("redis")
after = stack.redis.info("server")["run_id"]
""",
    hints=(
        "You did the same to MongoDB above.",
        'The lab calls the three parts "redis", "minigears" and "mongo".',
        '`lab.stop("redis")`, then `lab.start("redis")`, in the place of the `...`.',
    ),
    check=_check_restart,
    needs=needs.redis_answers,
)

_PARTS = ("redis", "gears", "mongo")
_RAISED = "A client raises when a part is silent: catch that, and name the part."


def _check_silent(answer: Answer) -> str:
    silent = answer.function("silent")
    front, alone, mongo = (
        answer.stack.redis_url,
        answer.stack.redis_direct_url,
        answer.stack.mongo_url,
    )
    _judge_silent(silent, (front, mongo), [], "a stack that runs", "Each part answers there.")
    if alone != front:  # RedisGears itself is inside of Redis
        told = "`PING` is answered by any Redis. What would only Gears answer?"
        _judge_silent(silent, (alone, mongo), ["gears"], "a Redis without Gears", told)
    with bound() as server:
        nobody = server.getsockname()[1]
        told = "An error of the client means that the part is silent."
        _judge_silent(
            silent, (front, _at(mongo, nobody)), ["mongo"], "a MongoDB that was stopped", told
        )
        told = "Gears is asked through the same door: where Redis is silent, so is Gears."
        _judge_silent(
            silent,
            (_at(front, nobody), mongo),
            ["redis", "gears"],
            "a Redis that was stopped",
            told,
        )
    with serving(b"") as mute:
        told = "It takes the connection, and never says a word."
        _judge_silent(silent, (front, _at(mongo, mute)), ["mongo"], "a MongoDB that hangs", told)
        _judge_silent(
            silent, (_at(front, mute), mongo), ["redis", "gears"], "a Redis that hangs", told
        )
    return "It asks each part what only this part can answer, and waits for nobody."


def _at(url: str, port: int) -> str:
    """Return a URL that leads to a port of this machine."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{LOOPBACK}:{port}"))


def _judge_silent(
    silent: Callable[..., Any], urls: tuple[str, str], wanted: list[str], case: str, told: str
) -> None:
    given = answer_in_time(silent, *urls, case=case, raised=_RAISED)
    if not isinstance(given, (list, tuple, set)) or not all(part in _PARTS for part in given):
        raise Wrong(
            f"For {case} your function returned `{given!r}`, not a list of names out of {', '.join(_PARTS)}."
        )
    if sorted(given) != sorted(wanted):
        shown = ", ".join(wanted) or "nobody"
        raise Wrong(f"For {case} you say {sorted(given)}, and silent is: {shown}. {told}")


SILENT = Exercise(
    id="02-2",
    asks=("silent",),
    stub="""\
def silent(redis_url, mongo_url): ...  # yours: a list of "redis", "gears", "mongo": who is silent
""",
    solution="""\
import pymongo
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def silent(redis_url, mongo_url):
    limits = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)}
    r = redis.Redis.from_url(redis_url, **limits)
    mongo = pymongo.MongoClient(mongo_url, serverSelectionTimeoutMS=1000)
    questions = {
        "redis": r.ping,
        "gears": lambda: r.execute_command("RG.INFOCLUSTER"),
        "mongo": lambda: mongo.admin.command("hello"),
    }
    found = []
    for part, ask in questions.items():
        try:
            ask()
        except (redis.RedisError, pymongo.errors.PyMongoError):
            found.append(part)
    mongo.close()
    return found
""",
    hints=(
        "Three questions, one for each part; this notebook has asked all three. Which one would only Gears answer?",
        "`PING`, `RG.INFOCLUSTER`, `hello`. A part that is silent makes its client raise, or wait. How long?",
        "`redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))` and "
        "`pymongo.MongoClient(url, serverSelectionTimeoutMS=1000)`; each question in a `try` of its own, which "
        "catches `redis.RedisError` and `pymongo.errors.PyMongoError`.",
    ),
    check=_check_silent,
    needs=needs.all_answer,
)

EXERCISES = (RESTART, SILENT)
