"""Notebook 02b: start containers from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from lab.checks import needs
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.checks.strangers import answer_in_time, bound, serving
from lab.stack.ports import LOOPBACK

_RAISED = "While a server starts that is the usual case, so the answer is False."
_LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def _check_ready(answer: Answer) -> str:
    is_ready = answer.function("is_ready")
    url = urlsplit(answer.stack.redis_url)
    here = f"a Redis that answers ({url.hostname}:{url.port})"
    at = str(url.hostname), int(url.port or 6379)
    if answer_in_time(is_ready, *at, case=here, raised=_RAISED) is not True:
        raise Wrong(f"For {here} your function does not return True.")
    with bound() as server:
        port = server.getsockname()[1]
        _refused(is_ready, port, "a port at which nobody listens", "Nothing can be ready there.")
    with serving(_LOADING) as port:
        told = "An open port, or any reply at all, is not enough: look at what the reply says."
        _refused(is_ready, port, "a Redis that still loads (it answers `-LOADING …`)", told)
    with serving(b"") as port:
        told = "An open port is not a server that answers: wait for the reply, for a limited time."
        _refused(is_ready, port, "a server that takes the connection and says nothing", told)
    return "It tells a server that answers from one that only runs: `lab.up()` waits like this."


def _refused(is_ready: Callable[..., Any], port: int, case: str, told: str) -> None:
    said = answer_in_time(is_ready, LOOPBACK, port, case=case, raised=_RAISED)
    if said is not False:
        raise Wrong(f"For {case} your function returns `{said!r}`, not False. {told}")


READY = Exercise(
    id="02b-1",
    asks=("is_ready",),
    stub="""\
def is_ready(host, port): ...  # True when Redis answers PING there, else False, within 3 seconds
""",
    solution="""\
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def is_ready(host, port):
    limits = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)}
    try:
        with redis.Redis(host, port, **limits) as client:
            return client.ping()
    except redis.RedisError:
        return False
""",
    hints=(
        "Four kinds of servers will be asked: one that answers, none, one that refuses, one that is silent.",
        "redis-py raises an error for the last three, and every one of them is a `redis.RedisError`. "
        "By default it waits and tries again before it does.",
        "`redis.Redis(host, port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))`, "
        "then `ping()`, in a `try` whose `except` returns False.",
    ),
    check=_check_ready,
    needs=needs.redis_answers,
)

EXERCISES = (READY,)
