"""The command `minigears`."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import ipaddress
import os
import re
import signal
import ssl
from pathlib import Path

import click
import uvloop

from minigears import logs
from minigears.address import Address, host_and_port
from minigears.door.capture.queue import Queue
from minigears.door.door import Door
from minigears.door.executor import ExecutorLost, Settings
from minigears.door.metrics import Page
from minigears.door.redis import BackendError
from minigears.tls import server_context

_PREVIOUS_PASSWORD = "MINIGEARS_PREVIOUS_PASSWORD"

Place = tuple[str, int]

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_DRAIN_TIMEOUT = 10.0  # seconds that writes on their way get at SIGTERM


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make what a file says the defaults; the environment and the command line go first."""
    if path is None:
        return
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        values = {name.replace("-", "_"): value for name, value in parser["minigears"].items()}
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}") from None
    except KeyError:
        raise click.BadParameter(f"{path} has no section [minigears]") from None
    names = {name for p in context.command.params for name in _config_names(p)}
    if unknown := sorted(values.keys() - names):
        raise click.BadParameter(f"{path} sets what is no option: {', '.join(unknown)}")
    if "redis" in values:
        values["url"] = values.pop("redis")
    context.default_map = values


def _config_names(parameter: click.Parameter) -> list[str]:
    """How a file names an option: as the command line does."""
    if parameter.name in ("config", "help"):
        return []
    return [flag.removeprefix("--").replace("-", "_") for flag in parameter.opts]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=_FILE,
    envvar="MINIGEARS_CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="A file with a section [minigears] and lines like `listen = 127.0.0.1:6380`, named as the "
    "options here; the environment and the command line go first.",
)
@click.option(
    "--redis",
    "url",
    default="redis://127.0.0.1:6379",
    show_default=True,
    envvar="MINIGEARS_REDIS",
    help="The redis-server behind: redis://HOST:PORT, rediss://HOST:PORT?ssl_ca_certs=FILE or "
    "unix:///PATH.",
)
@click.option(
    "--listen",
    default="127.0.0.1:6380",
    show_default=True,
    envvar="MINIGEARS_LISTEN",
    help="Where clients connect: HOST:PORT; port 0 takes a free one.",
)
@click.option(
    "--tls-cert",
    type=_FILE,
    envvar="MINIGEARS_TLS_CERT",
    help="Speak TLS with clients, and show them this certificate (PEM).",
)
@click.option("--tls-key", type=_FILE, envvar="MINIGEARS_TLS_KEY", help="Its key (PEM).")
@click.option(
    "--tls-ca",
    type=_FILE,
    envvar="MINIGEARS_TLS_CA",
    help="Ask clients for a certificate, too, that one of these authorities signed (PEM).",
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
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    default="text",
    show_default=True,
    envvar="MINIGEARS_LOG_FORMAT",
    help="json: one object a line; what functions print stays as it is.",
)
@click.option(
    "--capture",
    "captures",
    metavar="PREFIX",
    multiple=True,
    envvar="MINIGEARS_CAPTURE",
    help="Queue each write of a client to a key that begins with PREFIX, together with the write: the "
    "streams recipe's worker (python -m recipes.streams worker) takes them to a database. May be "
    "given several times.",
)
@click.option(
    "--capture-queue",
    metavar="NAMESPACE:PARTITIONS:ENTRIES:BYTES",
    default="wb:8:100000:67108864",
    show_default=True,
    envvar="MINIGEARS_CAPTURE_QUEUE",
    help="The worker's namespace and number of partitions, and how many entries and bytes may wait in "
    "each: a write for which there is no room is refused.",
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    envvar="MINIGEARS_METRICS",
    help="Serve Prometheus metrics there. Off by default.",
)
def main(
    url: str,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    password_env: str,
    allow_open: bool,
    cache: Path,
    log_level: str,
    log_format: str,
    metrics: str | None,
    captures: tuple[str, ...],
    capture_queue: str,
) -> None:
    """A RedisGears-1.2-compatible server in front of any Redis.

    Answers RG.* commands, runs the functions that scripts register, and relays everything else
    untouched. Logs go to standard error.
    """
    _have_standard_streams()
    logs.configure(log_level, log_format)
    at = _host_and_port(listen, "--listen")
    metrics_at = _host_and_port(metrics, "--metrics") if metrics else None
    try:
        address = Address.parse(url).with_password(os.environ.get(password_env))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--redis") from None
    for name in (password_env, "MINIGEARS_REDIS"):  # functions have no business with the password
        os.environ.pop(name, None)
    tls = _tls(tls_cert, tls_key, tls_ca)
    open_to_others = not (allow_open or _loopback(at[0]))
    if not (allow_open or address.password):
        for option, place in (("--listen", at), ("--metrics", metrics_at)):
            _refuse_open(option, place, password_env)
    queue = _queue(capture_queue)
    captured = dict.fromkeys(_prefixes(captures, queue), queue)
    cache = cache.resolve()
    settings = Settings(
        address=address,
        cache=str(cache),
        log_level=log_level,
        log_format=log_format,
        previous_password=os.environ.pop(_PREVIOUS_PASSWORD, None),
    )
    uvloop.install()
    try:
        asyncio.run(_run(Door(settings, open_to_others, captured, queue), at, tls, metrics_at))
    except (BackendError, ExecutorLost, OSError) as error:
        raise click.ClickException(str(error)) from None


async def _run(door: Door, at: Place, tls: ssl.SSLContext | None, metrics_at: Place | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    page = None
    starting = loop.create_task(door.start(*at, tls))
    stopping = loop.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # Redis, or what should be one, may never answer
            return
        bound = await starting
        page = Page(door, *metrics_at) if metrics_at else None
        with contextlib.suppress(BrokenPipeError):
            print(f"minigears ready on {host_and_port(*bound)}", flush=True)
        await stopping
    finally:
        starting.cancel()
        await door.stop(_DRAIN_TIMEOUT)
        if page:
            await loop.run_in_executor(None, page.close)  # it may be asking this loop for figures


def _prefixes(captures: tuple[str, ...], queue: Queue) -> tuple[bytes, ...]:
    prefixes = tuple(os.fsencode(prefix) for prefix in captures)
    if not all(prefixes):
        raise click.BadParameter("a prefix has at least one letter", param_hint="--capture")
    if any(map(queue.holds, prefixes)):
        raise click.BadParameter(
            f"the queue's own keys ({queue.namespace}:…) begin with it", param_hint="--capture"
        )
    return prefixes


def _queue(text: str) -> Queue:
    found = re.fullmatch(r"(.+):([0-9]+):([0-9]+):([0-9]+)", text)
    try:
        if found:
            return Queue(found[1], *map(int, found.groups()[1:])).checked()
        why = ""
    except ValueError as error:
        why = f": {error}"
    raise click.BadParameter(
        f"{text!r} is not NAMESPACE:PARTITIONS:ENTRIES:BYTES{why}", param_hint="--capture-queue"
    )


def _have_standard_streams() -> None:
    """Open what we were started without, on nothing: a socket in its place would be written to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _refuse_open(option: str, place: Place | None, password_env: str) -> None:
    """Without a password, nothing is offered to other machines."""
    if place and not _loopback(place[0]):
        raise click.UsageError(
            f"{option} {place[0]}:{place[1]} is open to others, and Redis asks for no password. Set "
            f"one (requirepass in redis.conf, and {password_env} here), or pass --allow-open: it "
            "lets whoever reaches the port run Python code on this machine."
        )


def _tls(
    certificate: Path | None, key: Path | None, authorities: Path | None
) -> ssl.SSLContext | None:
    if not (certificate or key or authorities):
        return None
    if not (certificate and key):
        raise click.UsageError("TLS needs both --tls-cert and --tls-key.")
    try:
        return server_context(certificate, key, authorities)
    except OSError as error:
        raise click.UsageError(f"--tls-cert, --tls-key or --tls-ca is no good: {error}") from None


def _host_and_port(text: str, option: str) -> Place:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or not int(port) < 65536:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint=option)
    return host.strip("[]") or "127.0.0.1", int(port)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
