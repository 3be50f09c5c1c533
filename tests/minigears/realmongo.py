"""A real SecantusDB for tests: MongoDB's wire protocol, documents on disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from tests.minigears.realredis import wait_for

RUN = ("-m", "secantus")
"""What Python is to run."""


def secantus(folder: Path, port: int, run: tuple[str, ...] = RUN, config: str = "") -> list[str]:
    """The command of a SecantusDB that keeps its documents below a folder; `config` is TOML."""
    file = folder / "secantus.toml"
    file.write_text(config)  # else it may find the one of whoever runs the tests
    words = [sys.executable, *run, "--config", str(file)]
    return [*words, "--port", str(port), "--storage-path", str(folder / "mongo")]


def answers(client: pymongo.MongoClient[dict[str, Any]]) -> bool:
    """Whether a server answers a client, which is closed."""
    with client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


class MongoServer:
    """A SecantusDB on a port of loopback that it keeps over restarts."""

    config = ""
    """Its configuration, as TOML."""
    run = RUN

    def __init__(self, directory: Path, port: int):
        self.directory = directory
        self.port = port
        self.environment: dict[str, str] | None = None
        """What it is started with; None for what runs the tests."""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a connection string begins with."""
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = secantus(self.directory, self.port, self.run, self.config)
        with (self.directory / "mongo.log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        wait_for(self._answers, what="SecantusDB")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "mongo.log").read_text()
        return answers(self.client(serverSelectionTimeoutMS=500))

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def client(self, **options: Any) -> pymongo.MongoClient[dict[str, Any]]:
        """A PyMongo client."""
        return pymongo.MongoClient(self.url, directConnection=True, **options)
