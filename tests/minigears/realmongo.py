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


class MongoServer:
    """A SecantusDB on a port of loopback that it keeps over restarts."""

    config = ""
    """Its configuration, as TOML."""
    run = ("-m", "secantus")
    """What Python is to run."""

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
        config = self.directory / "secantus.toml"
        config.write_text(self.config)  # else it may find the one of whoever runs the tests
        command = [sys.executable, *self.run, "--config", str(config)]
        command += ["--port", str(self.port), "--storage-path", str(self.directory / "mongo")]
        with (self.directory / "mongo.log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        wait_for(self._answers, what="SecantusDB")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "mongo.log").read_text()
        with self.client(serverSelectionTimeoutMS=500) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
        return True

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def client(self, **options: Any) -> pymongo.MongoClient[dict[str, Any]]:
        """A PyMongo client."""
        return pymongo.MongoClient(self.url, directConnection=True, **options)
