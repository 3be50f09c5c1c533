"""SecantusDB: MongoDB's wire protocol on WiredTiger, in a Python process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pymongo

from lab.stack import ports
from lab.stack.embedded.services.base import PATIENCE, Service


class Secantus(Service):
    """The system of record of the embedded stack.

    It is given a configuration file of its own, an empty one, so that it never picks up one from
    the learner's home folder.
    """

    name = "mongo"
    title = "MongoDB (SecantusDB)"
    default_port = 27017
    stop_seconds = 15.0

    def argv(self, home: Path, port: int) -> list[str]:
        """Return the command line; see `Service`."""
        words = [sys.executable, "-m", "secantus", "--config", str(_config(home))]
        words += ["--host", ports.LOOPBACK, "--port", str(port), "--cache-size", "256M"]
        return [*words, "--storage-path", str(self.data(home)), "--log-level", "INFO"]

    def prepare(self, home: Path) -> None:
        """Write the empty configuration file."""
        _config(home).write_text("", encoding="utf-8")

    def ping(self, home: Path, port: int) -> None:
        """Raise pymongo.errors.PyMongoError when it does not answer."""
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            ports.LOOPBACK, port, directConnection=True
        )
        with client, pymongo.timeout(PATIENCE):
            client.admin.command("ping")


def _config(home: Path) -> Path:
    return home / "secantus.toml"
