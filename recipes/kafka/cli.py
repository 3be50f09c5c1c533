"""The command line: the worker, and the verbs of somebody on call."""

from __future__ import annotations

import signal
from typing import Any

import click

from recipes.streams.databases.opening import open_sink
from recipes.streams.verbs.places import parse_routes
from recipes.streams.worker.settings import Settings

from .records import Topic
from .verbs import database_options, dead_letters, log_options, reported
from .worker import Worker


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Write-behind on a Kafka topic. Some options may be environment variables, as KAFKA_SERVERS."""


@main.command()
@log_options
@click.option("--partitions", default=8, help="How many the topic has, as writers know it.")
@click.option("--epoch", default=0, help="Greater each time the topic's offsets begin anew.")
@click.option("--group", default="write-behind", help="Workers of a group share the partitions.")
@database_options
@click.option("--batch-entries", default=500, help="Records a batch, at most.")
@click.option("--batch-wait", default=0.1, help="Seconds that Kafka waits for a batch to fill.")
@click.option("--lease", default=10.0, help="Seconds after which a silent worker is succeeded.")
@click.option("--attempts", default=5, help="How often a refused document is tried.")
@reported
def worker(servers: str, topic: str, partitions: int, epoch: int, group: str, database: str,
           routes: tuple[str, ...], **rest: Any) -> None:  # fmt: skip
    """Write what is in the topic into the database, until SIGTERM or Ctrl-C."""
    sink = open_sink(database, parse_routes(routes))
    known = Topic(topic, partitions, epoch)
    running = Worker(servers, known, sink, Settings(**rest), group=group)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    running.run()


main.add_command(dead_letters)
