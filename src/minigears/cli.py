"""The command `minigears`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import sys
from pathlib import Path

import click
import uvloop

from minigears.backend import Address, BackendError
from minigears.door import Door
from minigears.supervisor import ExecutorLost, Settings

_DRAIN_TIMEOUT = 10.0  # seconds that writes on their way get at SIGTERM


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--redis",
    "url",
    default="redis://127.0.0.1:6379",
    show_default=True,
    envvar="MINIGEARS_REDIS",
    help="The redis-server behind: redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH.",
)
@click.option(
    "--listen",
    default="127.0.0.1:6380",
    show_default=True,
    envvar="MINIGEARS_LISTEN",
    help="Where clients connect: HOST:PORT; port 0 takes a free one.",
)
@click.option(
    "--password-env",
    metavar="NAME",
    default="MINIGEARS_REDIS_PASSWORD",
    show_default=True,
    help="Environment variable with Redis's password; a password never belongs in a command line.",
)
@click.option(
    "--allow-open",
    is_flag=True,
    help="Listen beyond loopback although Redis asks for no password: whoever reaches the port "
    "can run Python code here.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".cache"),
    show_default=True,
    envvar="MINIGEARS_CACHE",
    help="Where REQUIREMENTS are installed.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    envvar="MINIGEARS_LOG_LEVEL",
)
def main(
    url: str, listen: str, password_env: str, allow_open: bool, cache: Path, log_level: str
) -> None:
    """A RedisGears-1.2-compatible server in front of any Redis.

    Answers RG.* commands, runs the functions that scripts register, and relays everything else
    untouched. Logs go to standard error.
    """
    logging.basicConfig(
        level=log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    host, port = _listen_address(listen)
    try:
        address = Address.parse(url).with_password(os.environ.get(password_env))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--redis") from None
    if not (allow_open or address.password or _loopback(host)):
        raise click.UsageError(
            f"--listen {listen} is open to others, and Redis asks for no password. Set one "
            f"(requirepass in redis.conf, and {password_env} here), or pass --allow-open: it lets "
            "whoever reaches the port run Python code on this machine."
        )
    cache = cache.resolve()
    settings = Settings(address=address, cache=str(cache), log_level=log_level)
    uvloop.install()
    try:
        asyncio.run(_run(settings, host, port))
    except (BackendError, ExecutorLost, OSError) as error:
        raise click.ClickException(str(error)) from None


async def _run(settings: Settings, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    door = Door(settings)
    try:
        bound_host, bound_port = await door.start(host, port)
        with contextlib.suppress(BrokenPipeError):
            print(f"minigears ready on {bound_host}:{bound_port}", flush=True)
        await stop.wait()
    finally:
        await door.stop(_DRAIN_TIMEOUT)


def _listen_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not int(port) < 65536:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--listen")
    return host.strip("[]") or "127.0.0.1", int(port)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
