"""minigears: the front door, which answers RG.* and relays the rest to Redis."""

from __future__ import annotations

import sys
from pathlib import Path

from lab import paths, ports
from lab.services.base import Service
from lab.services.redis import ping


class Minigears(Service):
    """The port that learners talk to."""

    name = "minigears"
    title = "minigears (front door)"
    needs = ("redis",)
    default_port = 6379

    def argv(self, home: Path, port: int) -> list[str]:
        """Return the command line; see `Service`."""
        backend = f"unix://{paths.socket_path(home)}"
        words = [sys.executable, "-m", "minigears", "--redis", backend]
        words += ["--listen", f"{ports.LOOPBACK}:{port}"]
        return [*words, "--cache", str(paths.cache()), "--log-level", "info"]

    def env(self) -> dict[str, str]:
        """Return where requirements come from, when the lab runs from an offline kit."""
        return paths.package_settings()

    def ping(self, home: Path, port: int) -> None:
        """Raise when the front door, or Redis behind it, does not answer."""
        ping(port)
