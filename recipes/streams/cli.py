"""The command line."""

from __future__ import annotations

import signal
from typing import Any

import click
from redis import Redis

from .errors import Misconfigured
from .health import serve
from .metrics import Metrics
from .names import DEFAULT_NAMESPACE, DEFAULT_PARTITIONS, Partitions
from .settings import Settings
from .sink import open_sink
from .worker import Worker


@click.group(context_settings={"auto_envvar_prefix": "WRITEBEHIND", "show_default": True})
def main() -> None:
    """Write-behind on Redis Streams.

    Each option can be an environment variable: WRITEBEHIND_WORKER_REDIS and so on.
    """


@main.command()
@click.option("--redis", "redis_url", default="redis://127.0.0.1:6379", help="Redis's URL.")
@click.option(
    "--database", required=True, help="mongodb://… or postgresql://… with the database's name."
)
@click.option("--route", "routes", multiple=True, required=True, metavar="PREFIX=NAME",
              help="Keys with this prefix go into this collection or table. May be repeated.")  # fmt: skip
@click.option("--partitions", default=DEFAULT_PARTITIONS, help="As the clients have it.")
@click.option("--namespace", default=DEFAULT_NAMESPACE, help="What the queue's keys begin with.")
@click.option("--batch-entries", default=500, help="Entries a batch, at most.")
@click.option("--batch-wait", default=0.1, help="Seconds that a batch waits to fill.")
@click.option("--lease", default=10.0, help="Seconds after which a silent worker is succeeded.")
@click.option("--attempts", default=5, help="How often a refused document is tried.")
@click.option(
    "--metrics-port", default=0, help="Port on loopback of /metrics and /health; 0: none."
)
def worker(redis_url: str, database: str, routes: tuple[str, ...], partitions: int, namespace: str,
           metrics_port: int, **rest: Any) -> None:  # fmt: skip
    """Write what waits into the database, until SIGTERM or Ctrl-C."""
    try:
        settings = Settings(partitions=Partitions(partitions, namespace), **rest)
        sink = open_sink(database, parse_routes(routes))
        metrics = Metrics()
        running = Worker(Redis.from_url(redis_url), sink, settings, metrics)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        with serve(metrics, running, metrics_port):
            running.run()
    except Misconfigured as error:
        raise click.ClickException(str(error)) from error


def parse_routes(words: tuple[str, ...]) -> dict[str, str]:
    """`Movie:=movies` as prefix and name."""
    routes = {}
    for word in words:
        prefix, equals, name = word.rpartition("=")
        if not equals or not name:
            raise Misconfigured(f"a route is PREFIX=NAME, as in Movie:=movies, not {word!r}")
        routes[prefix] = name
    return routes
