"""Scripts that use rgsync 1.2.0 as its README does, and what a registration says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for
from tests.minigears.rgsync.databases import Database

MONGO = ("rgsync==1.2.0", "pymongo==3.12.0")

MAPPINGS = {"first_name": "first", "last_name": "last", "age": "age"}

_MONGO_CONNECTOR = """
from rgsync.Connectors import MongoConnector, MongoConnection
connection = MongoConnection('', '', '', '', {url!r})
connector = MongoConnector(connection, 'app', 'movies', 'movieId', {once!r})
"""
_SQL_CONNECTOR = """
from rgsync.Connectors import {kind}Connector, {kind}Connection
connector = {kind}Connector({kind}Connection({where}), 'persons', 'person_id', {once!r})
"""


def mongo_connector(url: str, once: str | None = None) -> str:
    """Lines that make `connector`; it gives a database that is away up soon."""
    return _MONGO_CONNECTOR.format(url=f"{url}/?serverSelectionTimeoutMS=500", once=once)


def sql_connector(database: Database, once: str | None = None) -> str:
    """Lines that make `connector`."""
    return _SQL_CONNECTOR.format(kind=database.kind, where=database.where, once=once)


def json_write_behind(connector: str, name: str = "Movies", version: str = "99.99.99") -> str:
    """JSON of keys `movie:*`, retried every second."""
    return f"""from rgsync import RGJSONWriteBehind
{connector}
RGJSONWriteBehind(GB, keysPrefix='movie', connector=connector, name={name!r}, version={version!r},
                  onFailedRetryInterval=1)
"""


def write_behind(connector: str) -> str:
    """Hashes `person:*`."""
    return f"""from rgsync import RGWriteBehind
{connector}
RGWriteBehind(GB, keysPrefix='person', mappings={MAPPINGS!r}, connector=connector, name='Persons',
              version='99.99.99', onFailedRetryInterval=1)
"""


def write_through(connector: str) -> str:
    """Hashes `person:*`, by way of `__{person:*}`."""
    return f"""from rgsync import RGWriteThrough
{connector}
RGWriteThrough(GB, keysPrefix='__', mappings={MAPPINGS!r}, connector=connector, name='Persons',
               version='99.99.99')
"""


@dataclass
class Registration:
    """What RG.DUMPREGISTRATIONS says of one."""

    id: str
    name: str
    triggered: int
    succeeded: int
    failed: int
    last_error: str | None


class Recipe:
    """One client of a minigears in which an rgsync script was run."""

    def __init__(self, gears: MiniGears, client: redis.Redis):
        self._gears = gears
        self.client = client

    def register(self, script: str, requirements: tuple[str, ...]) -> None:
        """Run the script; raises redis.ResponseError with its traceback."""
        assert self._gears.run(script, "REQUIREMENTS", *requirements) == "OK"

    def registrations(self) -> list[Registration]:
        """All of them."""
        dumped = self.client.execute_command("RG.DUMPREGISTRATIONS")
        return [_registration(dict(zip(one[::2], one[1::2], strict=True))) for one in dumped]

    def reader(self, kind: str) -> Registration:
        """The one whose name ends so: `KeysReader` or `StreamReader`."""
        (found,) = [one for one in self.registrations() if one.name.endswith(f".{kind}")]
        return found

    def streams(self) -> list[str]:
        """Streams of rgsync, written or not."""
        return sorted(self.client.keys("_*-stream-*"))

    def waiting(self) -> list[dict[str, str]]:
        """Entries that no database has yet."""
        return [fields for name in self.streams() for _, fields in self.client.xrange(name)]

    def failure(self, kind: str = "StreamReader", times: int = 1) -> str:
        """Wait until a registration has failed so often; its last error."""
        wait_for(lambda: self.reader(kind).failed >= times, what=f"failures of the {kind}")
        error = self.reader(kind).last_error
        assert error is not None
        return error

    def acknowledgement(self, key: str, uuid: str) -> dict[str, str]:
        """Wait, as rgsync's README says, for what the database said of one write."""
        answer: Any = self.client.xread({f"{{{key}}}{uuid}": "0-0"}, block=30_000)
        assert answer, "no acknowledgement"
        ((_, [(_, fields)]),) = answer.items() if isinstance(answer, dict) else answer
        return fields


def _registration(fields: dict[str, Any]) -> Registration:
    data = fields["RegistrationData"]
    data = dict(zip(data[::2], data[1::2], strict=True))
    return Registration(
        id=fields["id"],
        name=json.loads(fields["desc"])["name"],
        triggered=data["numTriggered"],
        succeeded=data["numSuccess"],
        failed=data["numFailures"],
        last_error=data["lastError"],
    )
