"""Where the verbs of the command line work: options that all of them share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import click
from redis import Redis, Sentinel
from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from ..client.client import WriteBehind
from ..core.errors import REDIS_ERRORS, Misconfigured, QueueFull, Unavailable, WriteBehindError
from ..core.faults import mend, told
from ..core.library import RedisClient
from ..core.names import DEFAULT_NAMESPACE, DEFAULT_PARTITIONS, Partitions
from ..databases.opening import open_sink
from ..databases.sink import ANSWERS_WITHIN, Sink

TRY_AGAIN, MEND = 75, 78
"""Exit codes, as sysexits.h has them: later it may work; a person has to mend something."""


@dataclass
class Place:
    """Where a verb works."""

    redis: Any
    partitions: Partitions
    routes: dict[str, str]
    database: str

    @functools.cached_property
    def client(self) -> WriteBehind:
        """A client on that Redis."""
        return WriteBehind(self.redis, self.partitions)

    @functools.cached_property
    def sink(self) -> Sink:
        """The system of record."""
        return open_sink(self.database, self.routes)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the keys of the routes begin with."""
        return tuple(self.routes)


class Failed(click.ClickException):
    """Ends a verb with a status that tells who has to act; 1 is left for what a verb has found."""

    def __init__(self, error: Exception) -> None:
        super().__init__(told(error))
        passes = isinstance(error, (Unavailable, QueueFull, *REDIS_ERRORS)) and not mend(error)
        self.exit_code = TRY_AGAIN if passes else MEND  # type: ignore[misc]


def places(database: bool, routes: bool | None = None) -> Callable[[Any], Any]:
    """The options that say where a verb works; and errors that say what to do."""
    options = [
        click.option("--redis", "redis_url", default="redis://127.0.0.1:6379", envvar="WRITEBEHIND_REDIS",
                     help="Redis's URL; redis+cluster://HOST:PORT for a Redis Cluster, by any node; redis+sentinel://"
                          "HOST:PORT,HOST:PORT/NAME for the master that sentinels know."),
        click.option("--partitions", default=DEFAULT_PARTITIONS, envvar="WRITEBEHIND_PARTITIONS",
                     help="As the clients have it."),
        click.option("--namespace", default=DEFAULT_NAMESPACE, envvar="WRITEBEHIND_NAMESPACE",
                     help="What the queue's keys begin with."),
    ]  # fmt: skip
    if database:
        told = "mongodb://… or postgresql://…, with the database's name."
        options.append(
            click.option("--database", required=True, envvar="WRITEBEHIND_DATABASE", help=told)
        )
    if database or routes:
        told = "Keys with this prefix go into this collection or table. May be repeated."
        options.append(click.option("--route", "routes", multiple=True, required=True, help=told,
                                    metavar="PREFIX=NAME", envvar="WRITEBEHIND_ROUTE"))  # fmt: skip

    def decorate(verb: Any) -> Any:
        @functools.wraps(verb)
        def run(redis_url: str, partitions: int, namespace: str, database: str = "",
                routes: tuple[str, ...] = (), **rest: Any) -> Any:  # fmt: skip
            try:
                redis = connect(redis_url)
                place = Place(
                    redis, Partitions(partitions, namespace), parse_routes(routes), database
                )
                return verb(place, **rest)
            except (WriteBehindError, *REDIS_ERRORS, ValueError) as error:
                raise Failed(error) from error

        return functools.reduce(lambda made, option: option(made), reversed(options), run)

    return decorate


def setting(
    name: str, default: Any, told: str, prefix: str = "WRITEBEHIND_"
) -> Callable[[Any], Any]:
    """An option that may be an environment variable instead."""
    variable = prefix + name.upper().replace("-", "_")
    return click.option(f"--{name}", default=default, envvar=variable, help=told)


def connect(url: str) -> RedisClient:
    """A client of one Redis, for `redis+cluster://` and `rediss+cluster://` of a cluster, or for
    `redis+sentinel://HOST:PORT,HOST:PORT/NAME` of the master that sentinels know by this name.

    An answer is waited for as long as a database's, unless the URL says `socket_timeout`: a read that blocks
    ends by Redis's wall clock, and one that is set back an hour would hold it up for as long.
    """
    if url.startswith("redis+sentinel://"):
        return _by_sentinels(url)
    scheme, plus, rest = url.partition("+cluster://")
    if not plus:
        found: RedisClient = Redis.from_url(url, socket_timeout=ANSWERS_WITHIN)
        return found
    # Whoever asks tries again by itself: a master that is away is to hold up nobody for long.
    once = Retry(ConstantBackoff(0.1), 1)  # type: ignore[arg-type]  # seconds
    return RedisCluster.from_url(
        f"{scheme}://{rest}", require_full_coverage=False, retry=once, socket_timeout=ANSWERS_WITHIN
    )


def _by_sentinels(url: str) -> RedisClient:
    """Its user and password are Redis's; sentinels are asked without."""
    places, _, name = url.partition("://")[2].partition("/")
    login, _, hosts = places.rpartition("@")
    if not name:
        raise Misconfigured("say which master, as in redis+sentinel://HOST:26379/mymaster")
    user, _, password = map(unquote, login.partition(":"))
    told: dict[str, Any] = {"username": user or None, "password": password or None}
    told["socket_timeout"] = ANSWERS_WITHIN
    parts = [host.rpartition(":") for host in hosts.split(",")]
    asked = Sentinel([(host or port, int(port) if host else 26379) for host, _, port in parts])
    found: RedisClient = asked.master_for(name, **told)
    return found


def parse_routes(words: tuple[str, ...]) -> dict[str, str]:
    """`Movie:=movies` as prefix and name. Raises Misconfigured for a word that is no such pair."""
    routes = {}
    for word in words:
        prefix, equals, name = word.rpartition("=")
        if not equals or not name:
            raise Misconfigured(f"a route is PREFIX=NAME, as in Movie:=movies, not {word!r}")
        routes[prefix] = name
    return routes
