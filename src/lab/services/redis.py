"""redis-server from a wheel, with RedisJSON and RediSearch from another."""

from __future__ import annotations

import contextlib
import platform
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab import paths, ports
from lab.errors import Unsupported
from lab.report import say
from lab.services.base import PATIENCE, Service


class Redis(Service):
    """Redis on its own loopback port, and on a unix socket for minigears.

    Append-only file, flushed every second: what an acknowledged write survives is the same as on
    an ordinary server. The process keeps its title, since the title would overwrite the marks that
    the lab finds its processes by.
    """

    name = "redis"
    title = "Redis"
    default_port = 6380

    def argv(self, home: Path, port: int) -> list[str]:
        """Return the command line; see `Service`."""
        server = paths.redis_server()
        if server is None:
            raise Unsupported(no_redis_server())
        words = [str(server), "--bind", ports.LOOPBACK, "--port", str(port)]
        words += ["--unixsocket", str(paths.socket_path(home)), "--unixsocketperm", "700"]
        words += ["--dir", str(data_folder(home)), "--daemonize", "no", "--set-proc-title", "no"]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        for module in paths.redis_modules().values():
            words += ["--loadmodule", str(module)]
        return words

    def prepare(self, home: Path) -> None:
        """Make the data folder and the socket's folder; say which modules are not there."""
        data_folder(home).mkdir(parents=True, exist_ok=True)
        paths.socket_path(home).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if missing := set(paths.MODULES) - set(paths.redis_modules()):
            say(f"Redis starts without {' and '.join(sorted(missing))}: `lab doctor` says why.")

    def ping(self, home: Path, port: int) -> None:
        """Raise when Redis does not answer, or still loads its data."""
        ping(port)


def data_folder(home: Path) -> Path:
    """Return the folder of Redis's append-only file."""
    return home / "redis"


def ping(port: int) -> None:
    """Send one PING to a loopback port. Raises redis.RedisError or OSError."""
    client = redis.Redis(
        ports.LOOPBACK,
        port,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )
    with contextlib.closing(client):
        client.ping()


def no_redis_server() -> str:
    """Say why this machine has no redis-server in a wheel, and what to do instead."""
    here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if sys.platform == "win32":
        mend = "Run the course inside WSL, where everything works"
    else:
        mend = "Run `uv sync` (or `make lab`) again"
    return (
        f"There is no redis-server for this machine ({here}). {mend}; or point LAB_STACK=external, "
        "LAB_REDIS_URL and LAB_MONGO_URL at servers that run elsewhere."
    )
