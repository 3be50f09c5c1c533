"""redis-server from a wheel, with RedisJSON and RediSearch from another."""

from __future__ import annotations

import contextlib
import platform
import sys
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab import paths
from lab.errors import Unsupported
from lab.report import say
from lab.stack import ports
from lab.stack.appendonly import cut_off_half_a_transaction
from lab.stack.embedded import sockets
from lab.stack.embedded.services.base import PATIENCE, Service


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
        words += ["--unixsocket", str(sockets.path(home)), "--unixsocketperm", "700"]
        words += ["--dir", str(self.data(home)), "--daemonize", "no", "--set-proc-title", "no"]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        for module in paths.redis_modules().values():
            words += ["--loadmodule", str(module)]
        return words

    def prepare(self, home: Path) -> None:
        """Make the data folder and the socket's folder; say which modules are not there."""
        self.data(home).mkdir(parents=True, exist_ok=True)
        sockets.make_folder(home)
        if missing := set(paths.MODULES) - set(paths.redis_modules()):
            say(f"Redis starts without {' and '.join(sorted(missing))}: `lab doctor` says why.")

    def recover(self, home: Path) -> None:
        """Cut off the transaction that a crash has left half written; see `appendonly`."""
        if (server := paths.redis_server()) is not None:
            cut_off_half_a_transaction(self.data(home), server)

    def ping(self, home: Path, port: int) -> None:
        """Raise when Redis does not answer, or still loads its data, or has lost its socket."""
        ping(port)
        with contextlib.closing(_at_socket(home)) as client:
            client.ping()

    def holder(self, home: Path) -> str | None:
        """Ask who answers at the socket; see `Service`."""
        with contextlib.suppress(redis.RedisError, OSError):
            with contextlib.closing(_at_socket(home)) as client:
                return f"Redis (process {client.info('server')['process_id']})"
        return None


def ping(port: int) -> None:
    """Send one PING to a loopback port. Raises redis.RedisError or OSError."""
    with contextlib.closing(redis.Redis(ports.LOOPBACK, port, **_SOON)) as client:
        client.ping()


_SOON: dict[str, Any] = {
    "socket_timeout": PATIENCE,
    "socket_connect_timeout": PATIENCE,
    "retry": Retry(NoBackoff(), 0),
}


def _at_socket(home: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(sockets.path(home)), **_SOON)


def no_redis_server() -> str:
    """Say why this machine has no redis-server in a wheel, and what to do instead."""
    here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if sys.platform == "win32":
        mend = "Run the course inside WSL, where everything works"
    else:
        mend = "Run `make setup` again"
    return (
        f"There is no redis-server for this machine ({here}). {mend}; or point LAB_STACK=external, "
        "LAB_REDIS_URL and LAB_MONGO_URL at servers that run elsewhere."
    )
