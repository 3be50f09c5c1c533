"""Real servers, each a process on a port of loopback that it keeps over restarts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pymongo
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab import paths, wait_until
from lab.stack.databases import drop
from lab.stack.ondemand.postgresql import open_to_all
from tests.freeports import free_ports
from tests.minigears.realmongo import answers, secantus
from tests.minigears.realredis import loads
from tests.recipes.servers import POSTGRES, let_through
from tests.recipes.twelve.world.gate import LOOPBACK

WHICH = "TWELVE_TEST_REDIS"
"""The environment variable with the path of another redis-server or valkey-server to test with."""


@cache
def redis_program() -> Path:
    """The server to test with: that of the wheel unless told otherwise."""
    program = os.environ.get(WHICH) or paths.redis_server()
    assert program is not None
    return Path(program)


@cache
def redis_modules() -> tuple[Path, ...]:
    """RedisJSON and RediSearch, as far as they load into that server."""
    return tuple(Path(m) for m in paths.redis_modules().values() if loads(Path(m), redis_program()))


def has_json() -> bool:
    """Whether that server has RedisJSON."""
    return any(module.name == "rejson.so" for module in redis_modules())


DATABASE = "twelve"
"""The name of MongoDB's database."""


class Program:
    """A process that may be stopped, killed, frozen, thawed and started again."""

    name = "program"

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def argv(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """More for Popen."""
        return {}

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.argv(), stdout=log, stderr=log, **self.options())
        wait_until(self._answers, f"{self.name} answers", 60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return self.ready()

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL, its children as well, and wait until they are gone."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for child in family:
                with contextlib.suppress(psutil.Error):
                    child.kill()
            psutil.wait_procs(family, 30)
        self.process.wait(30)
        self.process = None

    def freeze(self) -> None:
        """SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


class Server(Program):
    """A program with a port."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        [self.port] = free_ports(1)


class RedisServer(Server):
    """Redis or Valkey with an append-only file, flushed every second: the usual setting."""

    name = "redis"

    def argv(self) -> list[str]:
        words = [redis_program(), "--bind", LOOPBACK, "--port", self.port, "--dir", self.folder]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        for module in redis_modules():
            words += ["--loadmodule", module]
        return [str(word) for word in words]

    def ready(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def client(self, port: int | None = None, **options: Any) -> redis.Redis:
        """A client that neither retries nor decodes."""
        options = {"socket_timeout": 30, "retry": Retry(NoBackoff(), 0), **options}
        return redis.Redis(LOOPBACK, port or self.port, **options)


class MongoServer(Server):
    """SecantusDB: MongoDB's wire protocol, documents on disk."""

    name = "mongo"

    def argv(self) -> list[str]:
        return secantus(self.folder, self.port)

    def ready(self) -> bool:
        return answers(self.client(serverSelectionTimeoutMS=500))

    def client(self, **options: Any) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(LOOPBACK, self.port, directConnection=True, **options)

    def empty(self, database: str) -> None:
        """Drop the database, for good: some properties begin by killing the server."""
        with self.client() as client:
            drop(client, database)

    def tamper(self, table: str, which: dict[str, str], title: str | None) -> None:
        """Give a document another title behind everybody's back, or delete it."""
        with self.client() as client:
            collection = client[DATABASE][table]
            if title is None:
                collection.delete_one(which)
            else:
                collection.update_one(which, {"$set": {"title": title}})

    def demand_unique(self, table: str, field: str) -> None:
        with self.client() as client:
            client[DATABASE][table].create_index(field, unique=True, sparse=True, name=field)

    def lift_demand(self, table: str, field: str) -> None:
        with self.client() as client:
            client[DATABASE][table].drop_index(field)

    def url(self, port: int, database: str) -> str:
        return f"mongodb://{LOOPBACK}:{port}/{database}?directConnection=true"


class PostgresServer(Server):
    """PostgreSQL from the wheel. It refuses to run as root: then it runs as nobody."""

    name = "postgres"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.data = folder / "postgres"

    def options(self) -> dict[str, Any]:
        return {"user": "nobody"} if os.geteuid() == 0 else {}

    def argv(self) -> list[str]:
        if not self.data.exists():
            self._make()
        words = [str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        return [*words, "-h", LOOPBACK, "-k", "", "-c", "max_connections=200"]

    def _make(self) -> None:
        self.data.mkdir()
        if os.geteuid() == 0:
            let_through(self.data)
            shutil.chown(self.data, "nobody")
        words = [str(self._binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-N"]
        words += ["--auth=trust", "--encoding=utf8", "--locale=C"]
        subprocess.run(words, check=True, capture_output=True, timeout=120, **self.options())

    def ready(self) -> bool:
        try:
            with self.client():
                return True
        except psycopg.Error:
            return False

    def client(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(self.port, "postgres"), autocommit=True, connect_timeout=5)

    def empty(self, database: str) -> None:
        """Drop all tables. `database` is the one of ours."""
        with self.client() as client:
            client.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def demand_unique(self, table: str, field: str) -> None:
        with self.client() as client:
            client.execute(f"CREATE UNIQUE INDEX {field} ON {table} ((document->>'{field}'))")

    def lift_demand(self, table: str, field: str) -> None:
        with self.client() as client:
            client.execute(f"DROP INDEX {field}")

    def url(self, port: int, database: str) -> str:
        return f"postgresql://postgres@{LOOPBACK}:{port}/postgres"

    @cached_property
    def _binaries(self) -> Path:
        return open_to_all(POSTGRES, self.data.parent) if os.geteuid() == 0 else POSTGRES


class Process(Program):
    """A worker: any program, ready when its log says so."""

    name = "worker"

    def __init__(self, folder: Path, words: list[str], says: str):
        super().__init__(folder)
        self.words, self.says = words, says

    def argv(self) -> list[str]:
        return self.words

    def ready(self) -> bool:
        return self.says in self.log.read_text()
