"""The command line: the worker."""

from __future__ import annotations

import signal
from typing import Any

import click

from recipes.streams.core.errors import WriteBehindError
from recipes.streams.databases.opening import open_sink
from recipes.streams.verbs.places import Failed, parse_routes
from recipes.streams.worker.settings import Settings

from .records import Topic
from .worker import Worker


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Write-behind on a Kafka topic. Each option may be an environment variable, as KAFKA_SERVERS."""


@main.command()
@click.option("--servers", default="127.0.0.1:9092", envvar="KAFKA_SERVERS", help="HOST:PORT,…")
@click.option("--topic", required=True, envvar="KAFKA_TOPIC", help="Where writers write.")
@click.option("--partitions", default=8, help="How many the topic has, as writers know it.")
@click.option("--epoch", default=0, help="Greater each time the topic's offsets begin anew.")
@click.option("--group", default="write-behind", help="Workers of a group share the partitions.")
@click.option("--database", required=True, envvar="WRITEBEHIND_DATABASE",
              help="mongodb://… or postgresql://…, with the database's name.")  # fmt: skip
@click.option("--route", "routes", multiple=True, required=True, metavar="PREFIX=NAME",
              help="Keys with this prefix go into this collection or table. May be repeated.")  # fmt: skip
@click.option("--batch-entries", default=500, help="Records a batch, at most.")
@click.option("--batch-wait", default=0.1, help="Seconds that Kafka waits for a batch to fill.")
@click.option("--lease", default=10.0, help="Seconds after which a silent worker is succeeded.")
@click.option("--attempts", default=5, help="How often a refused document is tried.")
def worker(servers: str, topic: str, partitions: int, epoch: int, group: str, database: str,
           routes: tuple[str, ...], **rest: Any) -> None:  # fmt: skip
    """Write what is in the topic into the database, until SIGTERM or Ctrl-C."""

    try:
        sink = open_sink(database, parse_routes(routes))
        known = Topic(topic, partitions, epoch)
        running = Worker(servers, known, sink, Settings(**rest), group=group)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        running.run()
    except WriteBehindError as error:
        raise Failed(error) from error
