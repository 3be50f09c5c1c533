"""A minigears in front of a real Redis, for tests."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis

from tests.minigears.realredis import RedisServer, wait_for
from tests.plugins.sandbox import REPOSITORY

SHARED_CACHE = REPOSITORY / ".cache"
"""The cache that the notebooks use, too: what is in it needs no network."""


PASSWORD = "a-secret-of-the-tests"


class MiniGears:
    """The process, its port, its log."""

    def __init__(self, server: RedisServer, directory: Path, *options: str):
        self.server = server
        self.directory = directory
        self.options = list(options)
        self.program = ["-m", "minigears"]
        """What Python runs."""
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.environment: dict[str, str] | None = None
        """What it is started with; None for what runs the tests."""

    def start(self) -> None:
        """Start it; on the port that it had before, if it ran before."""
        command = [sys.executable, *self.program, "--redis", f"unix://{self.server.socket}"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--cache", str(self.directory / "cache")]
        with (self.directory / "minigears.log").open("a") as log:
            self.process = subprocess.Popen(
                command + self.options,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
            )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        assert ready, self.log
        self.port = int(ready.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What it has logged, in all its lives."""
        return (self.directory / "minigears.log").read_text()

    @property
    def executor(self) -> psutil.Process | None:
        """Its executor process."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # a zombie has no command line
                if "minigears.executor" in child.cmdline():
                    return child
        return None

    def kill(self) -> None:
        """SIGKILL, as a crash; its executor ends by itself."""
        assert self.process is not None
        executor = self.executor
        self.process.kill()
        self.process.wait()
        if executor:
            wait_for(lambda: not executor.is_running(), what="the executor to end")

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def client(self, **options: object) -> redis.Redis:
        """A redis-py client without time limit and retry, as `RG.PYEXECUTE` wants it."""
        defaults = {"decode_responses": True, "socket_timeout": None, "retry": None}
        return redis.Redis(port=self.port, **(defaults | options))

    def run(self, script: str, *more: str) -> object:
        """`RG.PYEXECUTE`."""
        with self.client() as client:
            return client.execute_command("RG.PYEXECUTE", script, *more)

    def empty(self, **login: str) -> None:
        """Leave no registration and no key."""
        with self.client(**login) as client:
            for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
                client.execute_command("RG.UNREGISTER", registration[1])
            client.flushall()

    @contextmanager
    def raw(self) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as sock:
            yield sock


@contextmanager
def soon_busy(gears: MiniGears) -> Iterator[redis.Redis]:
    """A client of Redis itself; meanwhile a script keeps others out after a millisecond."""
    with redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        name = "busy-reply-threshold"
        before = direct.config_get(name)[name]
        direct.config_set(name, 1)
        yield direct
        direct.config_set(name, before)


def is_busy(direct: redis.Redis) -> bool:
    """Whether a script keeps others out."""
    try:
        direct.ping()
    except redis.ResponseError:
        return True
    return False


@contextmanager
def guarded_gears(directory: Path, users: Mapping[str, str], *options: str) -> Iterator[MiniGears]:
    """A minigears before a Redis that asks for PASSWORD, and has users, whose passwords are their names.

    `users` has their rules.
    """
    for name in ("redis", "gears"):
        (directory / name).mkdir()
    server = RedisServer(directory / "redis", "--save", "")
    server.start()
    conn = server.connect()
    for name, rules in users.items():
        conn.call("ACL", "SETUSER", name, "on", f">{name}", *re.findall(r"\([^)]*\)|\S+", rules))
    conn.call("CONFIG", "SET", "requirepass", PASSWORD)
    conn.close()
    gears = MiniGears(server, directory / "gears", *options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGEARS_REDIS_PASSWORD", PASSWORD)
        gears.start()
    yield gears
    assert gears.stop() == 0
    server.stop(signal.SIGKILL)


def descriptors(process: psutil.Process) -> int:
    """How many files and sockets a process holds open."""
    return process.num_fds()
