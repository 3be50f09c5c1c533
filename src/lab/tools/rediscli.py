"""The command `redis-cli` of this environment.

Where a redis-cli is installed that runs, this is it: the words are handed over unchanged. Where
there is none (no root, no package, a wheel that wants an older libssl), a small one of our own
takes its place, with the same options, the same look and the same exit status.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from lab import paths
from lab.tools import look
from lab.tools.replies import Failure, RawConnection, Reply, SimpleString


def main() -> None:
    """Run the machine's own redis-cli when there is one that runs, else ours."""
    if theirs := installed():
        os.execv(theirs, ["redis-cli", *sys.argv[1:]])
    fallback(prog_name="redis-cli")


def installed() -> str | None:
    """Return the path of a redis-cli that runs on this machine and is not this one."""
    ours = paths.scripts().resolve()
    folders = [f for f in os.get_exec_path() if f and Path(f).resolve() != ours]
    candidates = [shutil.which("redis-cli", path=os.pathsep.join(folders)), paths.stack_redis_cli()]
    for candidate in candidates:
        if candidate and not _is_a_stand_in(str(candidate)) and _runs(str(candidate)):
            return str(candidate)
    return None


def _is_a_stand_in(program: str) -> bool:
    """Tell whether this is the lab's command in another environment, which would look for ours."""
    with Path(program).open("rb") as script:
        return b"lab.tools.rediscli" in script.read(1000)


def _runs(binary: str) -> bool:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.option("-h", "host", default="127.0.0.1", help="Server's host name.")
@click.option("-p", "port", default=6379, show_default=True, help="Server's port.")
@click.option("-s", "socket_path", help="Server's unix socket, in place of host and port.")
@click.option("-u", "url", help="redis://user:password@host:port/database")
@click.option("-a", "--pass", "password", envvar="REDISCLI_AUTH", help="Password.")
@click.option("--user", help="User name, with -a.")
@click.option("-n", "database", type=int, default=0, help="Database number.")
@click.option("-x", "last_from_input", is_flag=True, help="Read the last argument from stdin.")
@click.option("-r", "repeat", default=1, help="Run the command this often; -1 for ever.")
@click.option("-i", "interval", default=0.0, help="With -r, seconds between two runs.")
@click.option("-e", "exit_status", is_flag=True, help="Exit with 1 when the reply is an error.")
@click.option("--raw", is_flag=True, help="Values only, as into a pipe.")
@click.option("--no-raw", is_flag=True, help="The terminal's look, also into a pipe.")
@click.option("--no-auth-warning", is_flag=True, help="Accepted; there is no such warning here.")
@click.option("--help", "show_help", is_flag=True, help="Show this help.")
@click.version_option("lab", "--version", message="redis-cli (the lab's own)")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def fallback(context: click.Context, /, **given: object) -> None:
    """Send a command to Redis, or lines of commands from stdin, or ask for them at a prompt."""
    option = context.params
    if option["show_help"]:
        click.echo(context.get_help())
        return
    connection = _connect(context)
    pipe = not (sys.stdout.isatty() or os.environ.get("FAKETTY"))
    as_raw = option["raw"] or (pipe and not option["no_raw"])
    words: list[str | bytes] = list(option["words"])
    if option["last_from_input"]:
        words.append(sys.stdin.buffer.read())
    if words:
        ok = True
        count = option["repeat"]
        while count:
            ok = _run(connection, words, as_raw)
            count -= 1
            if count:
                time.sleep(option["interval"])
        context.exit(0 if ok or not option["exit_status"] else 1)
    _session(connection, as_raw, place=f"{option['host']}:{option['port']}")


def _connect(context: click.Context) -> RawConnection:
    option = context.params
    place = option["url"] or option["socket_path"] or f"{option['host']}:{option['port']}"
    try:
        if option["url"]:
            return RawConnection.to(option["url"])
        connection = RawConnection(option["socket_path"] or (option["host"], option["port"]))
        refused = connection.login(option["user"] or "", option["password"] or "")
        if isinstance(refused, Failure):
            click.echo(f"AUTH failed: {refused.text}", err=True)
        if option["database"]:
            connection.call("SELECT", str(option["database"]))
        return connection
    except OSError as problem:
        reason = problem.strerror or problem
        click.echo(f"Could not connect to Redis at {place}: {reason}", err=True)
        context.exit(1)
        raise


def _session(connection: RawConnection, as_raw: bool, place: str) -> None:
    """Take commands line by line: from a prompt in a terminal, else from stdin."""
    at_prompt = sys.stdin.isatty()
    if at_prompt:
        import readline  # noqa: F401  (gives input() its line editing)
    while True:
        try:
            line = input(f"{place}> " if at_prompt else "")
        except (EOFError, KeyboardInterrupt):
            return
        if line.strip().lower() in ("exit", "quit"):
            return
        try:
            words = look.split_line(line)
        except ValueError:
            click.echo("Invalid argument(s)")
            continue
        if words:
            _run(connection, words, as_raw)


def _run(connection: RawConnection, words: Sequence[str | bytes], as_raw: bool) -> bool:
    """Run one command and print what comes back; tell whether it was no error."""
    try:
        reply = connection.call(*words)
        _print(reply, as_raw)
        if _goes_on(words[0], reply):
            while True:
                _print(connection.read(), as_raw)
    except KeyboardInterrupt:
        return True
    except OSError as problem:
        click.echo(f"Error: {problem}", err=True)
        return False
    return not isinstance(reply, Failure)


def _goes_on(command: str | bytes, reply: Reply) -> bool:
    """Tell whether a command is followed by messages until the user interrupts."""
    name = command.decode(errors="replace") if isinstance(command, bytes) else command
    if name.lower() == "monitor":
        return isinstance(reply, SimpleString)
    return name.lower() in ("subscribe", "psubscribe", "ssubscribe") and isinstance(reply, list)


def _print(reply: Reply, as_raw: bool) -> None:
    out = look.raw(reply) if as_raw else look.formatted(reply).encode()
    sys.stdout.buffer.write(out + b"\n")
    sys.stdout.buffer.flush()
