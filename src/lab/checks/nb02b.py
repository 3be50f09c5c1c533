"""Notebook 02b: start containers from Python."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from lab.checks.exercise import Answer, Exercise, Wrong
from lab.stack.ports import LOOPBACK

PATIENCE = 5.0
"""Seconds after which a call counts as one that never ends; the task allows 3."""

_LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def _check_ready(answer: Answer) -> str:
    is_ready = answer.function("is_ready")
    url = urlsplit(answer.stack.redis_url)
    here = f"a Redis that answers ({url.hostname}:{url.port})"
    if _asked(is_ready, str(url.hostname), int(url.port or 6379), here) is not True:
        raise Wrong(f"For {here} your function does not return True.")
    with _bound() as server:
        port = server.getsockname()[1]
        _refused(is_ready, port, "a port at which nobody listens", "Nothing can be ready there.")
    with _serving(_LOADING) as port:
        told = "An open port, or any reply at all, is not enough: look at what the reply says."
        _refused(is_ready, port, "a Redis that still loads (it answers `-LOADING …`)", told)
    with _serving(b"") as port:
        told = "An open port is not a server that answers: wait for the reply, for a limited time."
        _refused(is_ready, port, "a server that takes the connection and says nothing", told)
    return "It tells a server that answers from one that only runs: `lab.up()` waits like this."


def _refused(is_ready: Callable[..., Any], port: int, case: str, told: str) -> None:
    said = _asked(is_ready, LOOPBACK, port, case)
    if said is not False:
        raise Wrong(f"For {case} your function returns `{said!r}`, not False. {told}")


def _asked(is_ready: Callable[..., Any], host: str, port: int, case: str) -> Any:
    """Return the function's answer. Raises Wrong when it raises, or has none in time."""
    result: list[Any] = []
    problem: list[Exception] = []

    def ask() -> None:
        try:
            result.append(is_ready(host, port))
        except Exception as raised:
            problem.append(raised)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if problem:
        told = f"{type(problem[0]).__name__}: {problem[0]}"
        raise Wrong(
            f"For {case} your function raised `{told}`. "
            "While a server starts that is the usual case, so the answer is False."
        )
    if not result:
        raise Wrong(
            f"For {case} your function had no answer after {PATIENCE:.0f} s. "
            "Give the connection and the reply a time limit, and do not let the client try again."
        )
    return result[0]


@contextlib.contextmanager
def _bound() -> Iterator[socket.socket]:
    """Hold a free port, at which nobody listens."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        yield server


@contextlib.contextmanager
def _serving(reply: bytes) -> Iterator[int]:
    """Answer whatever comes with `reply`, or take connections and say nothing. Yields the port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        open_ones: list[socket.socket] = []

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    connection.sendall(reply)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    open_ones.append(connection)
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            for connection in list(open_ones):
                connection.close()


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
)

EXERCISES = (READY,)
