"""The command line: the worker, and the verbs of somebody on call."""

from __future__ import annotations

import re
from typing import Any

import click

from recipes.streams.core.errors import Misconfigured
from recipes.streams.databases.opening import open_sink
from recipes.streams.verbs.places import parse_routes, setting
from recipes.streams.worker.settings import Settings
from recipes.streams.worker.signals import stops_on_signals

from .records import Topic
from .verbs import database_options, dead_letters, log_options, reported
from .worker import Worker


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Write-behind on a Kafka topic. Each option may be an environment variable, as KAFKA_SERVERS."""


@main.command()
@log_options
@setting("partitions", 8, "How many the topic has, as writers know it.", "KAFKA_")
@setting("epoch", 0, "Greater each time the topic's offsets begin anew.", "KAFKA_")
@setting("group", "write-behind", "Workers of a group share the partitions.", "KAFKA_")
@setting("share", "", "N/M: every M-th partition from the N-th, fixed, without a group.", "KAFKA_")
@database_options
@setting("batch-entries", 500, "Records a batch, at most.")
@setting("batch-wait", 0.1, "Seconds that Kafka waits for a batch to fill.")
@setting("lease", 10.0, "Seconds after which a silent worker is succeeded.")
@setting("attempts", 5, "How often a refused document is tried.")
@reported
def worker(servers: str, topic: str, partitions: int, epoch: int, group: str, share: str, database: str,
           routes: tuple[str, ...], **rest: Any) -> None:  # fmt: skip
    """Write what is in the topic into the database, until SIGTERM or Ctrl-C."""
    sink = open_sink(database, parse_routes(routes))
    known = Topic(topic, partitions, epoch)
    running = Worker(servers, known, sink, Settings(**rest), group=group, share=parse_share(share))
    with stops_on_signals(running.stop):
        running.run()


def parse_share(word: str) -> tuple[int, int] | None:
    """`1/2` as numbers; nothing for nothing. Raises Misconfigured."""
    if not word:
        return None
    if not (found := re.fullmatch(r"(\d+)/(\d+)", word)) or not 1 <= int(found[1]) <= int(found[2]):
        raise Misconfigured(f"a share is N/M, as in 1/2, not {word!r}")
    return int(found[1]), int(found[2])


main.add_command(dead_letters)
