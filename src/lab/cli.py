"""The command `lab`."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab import command, environment, jupyterlab, paths
from lab.checkup import fetching, machine
from lab.checkup.findings import Level
from lab.course import commands
from lab.errors import LabError
from lab.kit.installing import KitError
from lab.stack import lifecycle
from lab.stack.embedded.services import SERVICES
from lab.stack.model import Stack, Status

_console = Console()
_err = Console(stderr=True)


def _mended(action: Callable[..., Any]) -> Callable[..., Any]:
    """Print what the lab raises as one readable message and exit with 1."""

    @wraps(action)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return action(*args, **kwargs)
        except (LabError, KitError) as problem:
            _err.print(Text(str(problem), style="red"))
            sys.exit(1)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The course's stack (Redis, minigears and MongoDB), its notebooks, and how far you are.

    Begin with `lab notebook`. `lab COMMAND --help` says more about one of the commands below.

    \b
    LAB_STACK   embedded (default), containers or external
    LAB_HOME    the stack's folder (default: .lab in the repository)
    LAB_PORT_MINIGEARS, LAB_PORT_REDIS, LAB_PORT_MONGO   the ports to try first
    LAB_REDISINSIGHT=1, LAB_PORT_REDISINSIGHT            RedisInsight too, in containers
    LAB_CACHE   what can be downloaded again (default: .cache in the repository)
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may have no sign for … or ✓


@main.command()
@_mended
def up() -> None:
    """Start the stack, or mend and find the one that runs."""
    stack = lifecycle.up()
    _print(stack.status())
    first = "" if command.is_on_path("redis-cli") else ", after `. .venv/bin/activate`"
    click.echo(f"\nIn a terminal{first}:  {stack.fit_to_print(stack.cli)}")


@main.command()
@click.option(
    "--data", is_flag=True, help="Delete the data of Redis and MongoDB, too; says where they are."
)
@_mended
def down(data: bool) -> None:
    """Stop the stack that LAB_STACK names; its data stay. Finds what a crash left behind, too."""
    lifecycle.down(data)


@main.command()
@_mended
def status() -> None:
    """Show what runs where. Exits with 1 when something does not run."""
    now = lifecycle.status()
    _print(now)
    sys.exit(0 if now.running else 1)


@main.command(short_help="Empty Redis and the course's MongoDB database.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_mended
def reset(yes: bool) -> None:
    """Empty Redis (registrations too) and the course's MongoDB database."""
    lifecycle.up()
    if not yes:
        click.echo(lifecycle.what_reset_empties())
        click.confirm("Go on?", abort=True)
    lifecycle.reset()
    click.echo("Both stores are empty and nothing is registered.")


@main.command(short_help="Fetch what recipes and gears-cli ask for.")
@_mended
def fetch() -> None:
    """Fetch what recipes and gears-cli ask for, so that nothing wants a network later."""
    fetching.fetch()


@main.command(short_help="Say what works on this machine, and how to mend the rest.")
@_mended
def doctor() -> None:
    """Say what works on this machine and how to mend what does not. Exits with 1 when the stack cannot run."""
    report = machine.doctor()
    table = Table(box=None, show_header=False, padding=(0, 1))
    colours = {Level.OK: "green", Level.NOTE: "yellow", Level.BAD: "red"}
    for found in report.findings:
        mark = Text(_mark(found.level), style=colours[found.level])
        told = Text(found.detail)
        if found.mend:
            told.append(f"\n→ {found.mend}", style="bold")
        table.add_row(mark, Text(found.what), told)
    _console.print(table)
    sys.exit(0 if report.healthy else 1)


def _mark(level: Level) -> str:
    """Return the level's sign, or its name where the terminal has no such sign."""
    try:
        level.value.encode(_console.encoding)
    except UnicodeEncodeError:
        return level.name.lower()
    return level.value


@main.command("notebook", short_help="Open JupyterLab on the first notebook.")
@click.option("--stop-stack", is_flag=True, help="Stop the stack too when JupyterLab ends.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="JupyterLab's port (default: 8888, or the next free one).",
)
@_mended
def open_notebook(stop_stack: bool, port: int | None) -> None:
    """Start the stack and JupyterLab on the first notebook. Ctrl-C stops JupyterLab."""
    sys.exit(jupyterlab.run(stop_stack=stop_stack, port=port))


@main.command("app", short_help="Open the movie app in the browser.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The app's port (default: a free one)."
)
@click.option(
    "--mode",
    default="write-behind-gears",
    type=click.Choice(
        ["mongo-only", "write-through", "write-behind-gears", "write-behind-streams"]
    ),
    show_default=True,
    help="How it writes at first; the app itself changes it.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    help="A name under which a proxy serves it; may be repeated.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@_mended
def movie_app(port: int, mode: str, hosts: tuple[str, ...], no_browser: bool) -> None:
    """Start the stack and the movie app, and open it in the browser. Ctrl-C ends the app."""
    from lab.tools import movieapp

    try:
        movieapp.run(port=port, mode=mode, hosts=hosts, open_browser=not no_browser)
    except OSError as problem:
        raise LabError(
            f"Port {port} cannot be had: {problem.strerror}. Leave --port out for a free one."
        ) from None


_PORT = click.option(
    "--port", type=click.IntRange(1, 65535), help="Its port (default: a free one)."
)
_NO_BROWSER = click.option("--no-browser", is_flag=True, help="Open no browser.")


@main.command(short_help="Show Redis in redis-commander (needs Node).")
@_PORT
@_NO_BROWSER
@_mended
def insight(port: int | None, no_browser: bool) -> None:
    """Show Redis's keys, JSON and streams in redis-commander (needs Node). Ctrl-C ends it."""
    from lab.stack import ports
    from lab.tools import windows

    windows.insight(port or ports.next_free(8081), not no_browser)


@main.command("mongo-admin", short_help="Show the embedded MongoDB in its admin pages.")
@_PORT
@_NO_BROWSER
@_mended
def mongo_admin(port: int | None, no_browser: bool) -> None:
    """Show the embedded MongoDB in SecantusDB's admin pages. Ctrl-C ends them."""
    from lab.stack import ports
    from lab.tools import windows

    windows.mongo_admin(port or ports.next_free(8082), not no_browser)


for _one in commands.COMMANDS:
    _one.callback = _mended(_one.callback) if _one.callback else None
    main.add_command(_one)


@main.group()
def kit() -> None:
    """Carry the course to machines without a network."""


@kit.command("build", short_help="Collect a kit for machines like this one.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--image", "images", multiple=True, help="An image to take along; may be repeated.")
@_mended
def kit_build(folder: Path, images: tuple[str, ...]) -> None:
    """Collect a kit in FOLDER for machines like this one: about 260 MB, two minutes."""
    from lab.kit.building import build

    made = build(folder.absolute(), images)
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    click.echo(f"The kit is in {made}, {size / 1e6:.0f} MB. There: sh install.sh FOLDER")


@kit.command("install", short_help="Set the course up from a kit.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("target", type=click.Path(path_type=Path))
@_mended
def kit_install(folder: Path, target: Path) -> None:
    """Set the course up in TARGET from the kit in FOLDER, with no network."""
    from lab.kit.installing import install

    install(folder.absolute(), target.absolute())


_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@main.command("redis-cli", context_settings=_PASS_ON, short_help="Run redis-cli on this stack.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@_mended
def redis_cli(words: tuple[str, ...]) -> None:
    """Run redis-cli on this stack's front door: `lab redis-cli PING`."""
    line = "redis-cli" if words[:1] == ("--help",) else _quietly_up().cli_by_port
    _exec(shlex.split(line), list(words))


@main.command("gears-cli", context_settings=_PASS_ON, short_help="Run gears-cli on this stack.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@_mended
def gears_cli(words: tuple[str, ...]) -> None:
    """Run gears-cli on this stack: `lab gears-cli run script.py REQUIREMENTS rgsync`."""
    asks = words[:1] in ((), ("--help",))
    where = [] if asks else shlex.split(_quietly_up().gears_cli_args)
    _exec(["gears-cli", *words[:1], *where], list(words[1:]))


@main.command()
@click.argument("service", type=click.Choice([*SERVICES, "redisinsight"]))
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many lines.")
@_mended
def logs(service: str, follow: bool, lines: int) -> None:
    """Show the end of a service's log. RedisInsight is a service of containers only."""
    words = lifecycle.log_command(service, lines, follow)
    try:
        sys.exit(subprocess.run(words).returncode)
    except KeyboardInterrupt:
        sys.exit(0)


def _quietly_up() -> Stack:
    """Start the stack for a command whose output is that command's alone."""
    with contextlib.redirect_stdout(sys.stderr):
        return lifecycle.up()


def _exec(first: list[str], words: list[str]) -> None:
    """Become another command of this environment."""
    program = str(paths.scripts() / first[0])
    sys.stdout.flush()
    os.execve(program, [*first, *words], environment.clean(os.environ))


def _print(now: Status) -> None:
    if not now.rows:
        click.echo(f"The {now.kind} stack is not started. Start it: {command.line('up')}")
        return
    table = Table(title=f"{now.kind} stack", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("component", "address", "status", "runs as"):
        table.add_column(name)
    for row in now.rows:
        style = "green" if row.status == "running" else "red"
        table.add_row(row.component, row.address, Text(row.status, style=style), row.where)
    _console.print(table)
