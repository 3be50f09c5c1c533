"""The servers of a run, a gate before the database, and empty stores for each judgement."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from tests.recipes.twelve.world.gate import Gate
from tests.recipes.twelve.world.servers import (
    DATABASE,
    MongoServer,
    PostgresServer,
    Process,
    RedisServer,
    Server,
)


class World:
    """Redis, MongoDB and PostgreSQL, started when first asked for; workers of one judgement."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.redis = RedisServer(folder)
        self.databases: dict[str, Server] = {
            "mongo": MongoServer(folder),
            "postgres": PostgresServer(folder),
        }
        self.gates: list[Gate] = []
        self.workers: list[Process] = []
        self._gate: dict[str, Gate] = {}
        self._numbers = itertools.count()

    def begin(self, database: str) -> None:
        """Empty stores, servers that run, a new gate."""
        self.end()
        for server in (self.redis, self.databases[database]):
            if not server.alive():
                server.start()
        with self.redis.client() as client:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")
            client.flushall()
            client.execute_command("FUNCTION", "FLUSH")
        self.server(database).empty(DATABASE)
        self.open_gate(database)

    def open_gate(self, database: str) -> None:
        """A new gate before a database."""
        self._gate[database] = self.gate(self.databases[database].port)

    def end(self) -> None:
        """Kill the workers, close the gates."""
        for gate in self.gates:
            gate.close()
        for worker in self.workers:
            worker.kill()
        self.gates, self.workers, self._gate = [], [], {}

    def close(self) -> None:
        """End everything."""
        self.end()
        for server in (self.redis, *self.databases.values()):
            server.kill()

    def server(self, database: str) -> Any:
        """The database's server."""
        return self.databases[database]

    def gate(self, port: int) -> Gate:
        """A new gate before a port."""
        gate = Gate(port)
        self.gates.append(gate)
        return gate

    def database_gate(self, database: str) -> Gate:
        """The gate between workers and the database."""
        return self._gate[database]

    def database_url(self, database: str) -> str:
        """The database for workers, through the gate."""
        return str(self.server(database).url(self.database_gate(database).port, DATABASE))

    def direct_url(self, database: str) -> str:
        """The database itself."""
        return str(self.server(database).url(self.server(database).port, DATABASE))

    def start(self, words: list[str], says: str = "") -> Process:
        """Start a worker's program, and wait until its log says so; it is killed at the end."""
        folder = self.folder / f"worker-{next(self._numbers)}"
        folder.mkdir()
        worker = Process(folder, words, says)
        self.workers.append(worker)
        worker.start()
        return worker
