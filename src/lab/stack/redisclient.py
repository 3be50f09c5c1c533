"""The redis-py client of the notebooks: it never repeats a call, and never waits without a word."""

from __future__ import annotations

from typing import Any

import redis
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

PATIENCE = 30.0
"""Seconds to wait for a reply. A write may wait for a function that waits for a stopped MongoDB."""

_NO_LIMIT = {"RG.PYEXECUTE", "RG.TRIGGER", "RG.TRIGGERONKEY", "RG.GETRESULTSBLOCKING", "WAIT"}
"""What may take as long as it takes: a script that installs its packages, the end of an execution."""

_WAITS_IF_TOLD = ("BL", "BR", "BZ", "XREAD", "XREADGROUP", "MONITOR", "SUBSCRIBE", "PSUBSCRIBE")

_ADVICE = (
    "Is Redis stopped? `lab.status()` says what runs; `lab.start('redis')` starts Redis again, and "
    "`lab.up()` mends whatever is broken."
)


class _Told:
    """A connection that has time for what may take long, and says what to do when it fails."""

    _has_time = False

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        self._has_time = _may_take_long(args)
        super().send_command(*args, **kwargs)  # type: ignore[misc]

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except (redis.TimeoutError, RedisConnectionError) as problem:
            raise _with_advice(problem) from problem

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if self._has_time:
            kwargs.setdefault("timeout", None)
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except (redis.TimeoutError, RedisConnectionError) as problem:
            raise _with_advice(problem) from problem


class _Tcp(_Told, Connection): ...


class _Tls(_Told, SSLConnection): ...


class _Unix(_Told, UnixDomainSocketConnection): ...


_CLASS_OF = {"rediss": _Tls, "unix": _Unix}


def connect(url: str, patience: float = PATIENCE) -> Redis:
    """Return a client that decodes replies and never sends a call twice.

    It waits `patience` seconds for a reply, and without a limit for scripts and what blocks because it
    was told to. Its TimeoutError and ConnectionError say what to do.
    """
    options: dict[str, Any] = {
        "socket_timeout": patience,
        "retry": Retry(NoBackoff(), 0),
        "connection_class": _CLASS_OF.get(url.partition("://")[0], _Tcp),
    }
    return Redis.from_url(url, decode_responses=True, **options)


def _may_take_long(words: tuple[Any, ...]) -> bool:
    name = words[0] if words and isinstance(words[0], str) else ""
    return name.upper() in _NO_LIMIT or name.upper().startswith(_WAITS_IF_TOLD)


def _with_advice(problem: Exception) -> Exception:
    """Return the same kind of error with what to do; once is enough."""
    text = str(problem)
    return problem if _ADVICE in text else type(problem)(f"{text}. {_ADVICE}")
