"""The command line: its configuration, and the worker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from .core.errors import Misconfigured
from .verbs.commands import backfill, dead_letters, reconcile_, status, why
from .verbs.places import Place, places, setting
from .worker.health import serve
from .worker.metrics import Metrics
from .worker.settings import Settings
from .worker.signals import stops_on_signals
from .worker.worker import Worker


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--config", type=click.File(), help="A file of NAME=VALUE lines, as the variables below."
)
@click.pass_context
def main(context: click.Context, config: Any) -> None:
    """Write-behind on Redis Streams.

    Each option may be an environment variable instead: --redis is WRITEBEHIND_REDIS, --lease is
    WRITEBEHIND_LEASE, and --route is WRITEBEHIND_ROUTE, its routes apart by spaces.
    """
    given = settings(config or ())
    context.default_map = dict.fromkeys(main.commands, given)
    context.default_map["dead-letters"] = dict.fromkeys(dead_letters.commands, given)


def settings(lines: Iterable[str]) -> dict[str, Any]:
    """Lines of NAME=VALUE, the value in quotes or not, as options. Raises BadParameter for any other."""
    known = {str(option.envvar): str(option.name) for option in _options()}
    given: dict[str, Any] = {}
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        name = name.removeprefix("export ").strip()
        if not equals or name not in known:
            raise click.BadParameter(  # without its value, which may be a secret
                f"{line.split('=')[0].split()[0]}: a line is NAME=VALUE, with {', '.join(sorted(known))}"
            )
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        given[known[name]] = value.split() if known[name] == "routes" else value
    return given


def _options() -> list[click.Parameter]:
    """What has a variable, of all commands."""
    commands = [*main.commands.values(), *dead_letters.commands.values()]
    return [option for command in commands for option in command.params if option.envvar]


@main.command()
@places(database=True)
@setting(
    "batch-entries", 500, "Entries a batch, at most; of documents that change often ten times that."
)
@setting("batch-wait", 0.1, "Seconds that a batch waits to fill.")
@setting("lease", 10.0, "Seconds after which a silent worker is succeeded.")
@setting("attempts", 5, "How often a refused document is tried.")
@setting("writers", 2, "Bulk writes at a time.")
@setting("metrics-port", 0, "Port of /metrics, /health and /live; 0: none.")
@setting("metrics-host", "127.0.0.1", "Address of that port; 0.0.0.0: all, as in a container.")
def worker(place: Place, metrics_port: int, metrics_host: str, **rest: Any) -> None:
    """Write what waits into the database, until SIGTERM or Ctrl-C."""
    metrics = Metrics()
    running = Worker(place.redis, place.sink, Settings(place.partitions, **rest), metrics)
    try:
        with serve(metrics, running, metrics_port, metrics_host), stops_on_signals(running.stop):
            running.run()
    except OSError as error:
        raise Misconfigured(f"port {metrics_port} of {metrics_host}: {error}") from error


for _command in (status, dead_letters, why, reconcile_, backfill):
    main.add_command(_command)
