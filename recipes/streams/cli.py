"""The command line: its configuration, and the worker."""

from __future__ import annotations

import signal
from typing import Any

import click

from .core.errors import Misconfigured
from .verbs.commands import backfill, dead_letters, reconcile_, status, why
from .verbs.places import Place, places
from .worker.health import serve
from .worker.metrics import Metrics
from .worker.settings import Settings
from .worker.worker import Worker


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--config", type=click.File(), help="A file of NAME=VALUE lines, as the variables below."
)
@click.pass_context
def main(context: click.Context, config: Any) -> None:
    """Write-behind on Redis Streams.

    Each option may be an environment variable instead: --redis is WRITEBEHIND_REDIS, and --route
    is WRITEBEHIND_ROUTE, its routes apart by spaces.
    """
    lines = [line.strip() for line in config or () if line.strip() and not line.startswith("#")]
    values = dict(line.partition("=")[::2] for line in lines)
    given = {name.removeprefix("WRITEBEHIND_").lower(): value for name, value in values.items()}
    if "route" in given:
        given["routes"] = given.pop("route").split()
    if "redis" in given:
        given["redis_url"] = given.pop("redis")
    context.default_map = dict.fromkeys(main.commands, given)
    context.default_map["dead-letters"] = dict.fromkeys(["list", "show", "replay", "drop"], given)


@main.command()
@places(database=True)
@click.option("--batch-entries", default=500, help="Entries a batch, at most.")
@click.option("--batch-wait", default=0.1, help="Seconds that a batch waits to fill.")
@click.option("--lease", default=10.0, help="Seconds after which a silent worker is succeeded.")
@click.option("--attempts", default=5, help="How often a refused document is tried.")
@click.option("--writers", default=2, help="Bulk writes at a time.")
@click.option(
    "--metrics-port", default=0, help="Port on loopback of /metrics and /health; 0: none."
)
def worker(place: Place, metrics_port: int, **rest: Any) -> None:
    """Write what waits into the database, until SIGTERM or Ctrl-C."""
    metrics = Metrics()
    running = Worker(place.redis, place.sink, Settings(place.partitions, **rest), metrics)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    try:
        with serve(metrics, running, metrics_port):
            running.run()
    except OSError as error:
        raise Misconfigured(f"port {metrics_port} of loopback: {error}") from error


for _command in (status, dead_letters, why, reconcile_, backfill):
    main.add_command(_command)
