"""minigears: the front door, which answers RG.* and relays the rest to Redis."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote

from lab import environment, paths
from lab.stack import ports
from lab.stack.embedded import sockets
from lab.stack.embedded.services.base import Service
from lab.stack.embedded.services.redis import ping


class Minigears(Service):
    """The port that learners talk to."""

    name = "minigears"
    title = "minigears (front door)"
    needs = ("redis",)
    keeps_data = False
    default_port = 6379

    def argv(self, home: Path, port: int) -> list[str]:
        """Return the command line; see `Service`."""
        backend = f"unix://{quote(os.fsencode(sockets.path(home)))}"
        words = [sys.executable, "-m", "minigears", "--redis", backend]
        words += ["--listen", f"{ports.LOOPBACK}:{port}"]
        return [*words, "--cache", str(paths.cache()), "--log-level", "info"]

    def env(self) -> dict[str, str]:
        """Return where requirements come from."""
        return environment.for_packages(os.environ, paths.cache())

    def ping(self, home: Path, port: int) -> None:
        """Raise when the front door, or Redis behind it, does not answer."""
        ping(port)
