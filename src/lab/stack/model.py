"""A stack as notebooks see it: addresses, clients, terminal commands."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import pymongo
import pymongo.database
from redis import Redis

from lab.names import DATABASE
from lab.stack import redisclient


@dataclass(frozen=True)
class Row:
    """One line of a stack's table."""

    component: str
    address: str
    status: str
    pid: int | None = None
    container: str = ""

    @property
    def where(self) -> str:
        """The process or the container that the component is."""
        return f"process {self.pid}" if self.pid else self.container


@dataclass(frozen=True)
class Status:
    """What runs where, as text and as a table that takes the theme's own colours."""

    kind: str
    rows: list[Row]

    @property
    def running(self) -> bool:
        """True when every component runs."""
        return bool(self.rows) and all(row.status == "running" for row in self.rows)

    @property
    def ended(self) -> bool:
        """True when no part runs."""
        return not any(row.status == "running" for row in self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.kind} stack: not started"
        lines = [f"{self.kind} stack"]
        for row in self.rows:
            line = f"  {row.component:<24} {row.address:<28} {row.status}  {row.where}"
            lines.append(line.rstrip())
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{html.escape(str(self))}</p>"
        head = "".join(
            f'<th scope="col" style="text-align:left">{name}</th>'
            for name in ("component", "address", "status", "runs as")
        )
        body = "".join(_html_row(row) for row in self.rows)
        caption = f'<caption style="text-align:left">{html.escape(self.kind)} stack</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_row(row: Row) -> str:
    mark = "●" if row.status == "running" else "○"
    cells = (
        html.escape(row.component),
        f"<code>{html.escape(row.address)}</code>",
        f"{mark} {html.escape(row.status)}",
        html.escape(row.where),
    )
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


@dataclass(frozen=True, repr=False)
class Stack:
    """Where the parts of the course run. All notebooks work through one of these.

    `redis_url` is the front door, which answers `RG.*`; `redis_direct_url` is Redis's own port;
    `recipe_mongo_url` is MongoDB as a recipe inside the stack reaches it, which in containers is
    not the address that notebooks use; `redis_container` is the name for `docker exec`, where there
    is one.
    """

    kind: str
    redis_url: str
    redis_direct_url: str
    mongo_url: str
    recipe_mongo_url: str
    status: Callable[[], Status] = field(compare=False)
    redis_container: str = ""

    @cached_property
    def redis(self) -> Redis:
        """A redis-py client of the front door. It never retries, and gives `RG.PYEXECUTE` its time.

        A slow one that is sent a second time would register a recipe twice. For any other reply it
        waits 30 s; then it says what to do.
        """
        return redisclient.connect(self.redis_url)

    @cached_property
    def redis_direct(self) -> Redis:
        """A redis-py client of Redis's own port, past minigears."""
        return redisclient.connect(self.redis_direct_url)

    @cached_property
    def mongo(self) -> pymongo.MongoClient[dict[str, Any]]:
        """A PyMongo client; it gives up after 5 s when MongoDB is not there."""
        return pymongo.MongoClient(self.mongo_url, serverSelectionTimeoutMS=5000)

    @property
    def db(self) -> pymongo.database.Database[dict[str, Any]]:
        """The course's database."""
        return self.mongo[DATABASE]

    @property
    def cli(self) -> str:
        """The start of a redis-cli line in a terminal that reaches the front door.

        With containers it is the one inside, as for a learner who has none installed.
        """
        if self.redis_container:
            return f"docker exec -i {self.redis_container} redis-cli"
        return self.cli_by_port

    @property
    def cli_by_port(self) -> str:
        """The start of a line for the redis-cli of this machine."""
        url = urlsplit(self.redis_url)
        words = ["redis-cli"]
        if (url.hostname or "127.0.0.1") not in ("127.0.0.1", "localhost"):
            words += ["-h", str(url.hostname)]
        words += ["-p", str(url.port or 6379)]
        if url.username:
            words += ["--user", unquote(url.username)]
        if url.password:
            words += ["-a", unquote(url.password), "--no-auth-warning"]
        return shlex.join(words)

    @property
    def gears_cli_args(self) -> str:
        """The options that lead `gears-cli run` to the front door."""
        url = urlsplit(self.redis_url)
        words = ["--host", url.hostname or "127.0.0.1", "--port", str(url.port or 6379)]
        if url.username:
            words += ["--user", unquote(url.username)]
        if url.password:
            words += ["--password", unquote(url.password)]
        return shlex.join(words)

    def fit_to_print(self, line: str) -> str:
        """Return a terminal line without the passwords of this stack."""
        for url in (self.redis_url, self.mongo_url, self.recipe_mongo_url):
            line = line.replace(url, hide_password(url))
        password = shlex.quote(unquote(urlsplit(self.redis_url).password or ""))
        return re.sub(rf"(-a|--password) {re.escape(password)}(?=\s|$)", r"\1 ***", line)

    def __repr__(self) -> str:
        redis, mongo = hide_password(self.redis_url), hide_password(self.mongo_url)
        return f"Stack({self.kind}, {redis}, {mongo})"

    def _repr_html_(self) -> str:
        return self.status()._repr_html_()


def hide_password(url: str) -> str:
    """Return a URL without its password, fit to be printed."""
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    shown = f"{scheme}{mark}{login.partition(':')[0]}{at}{place}" if at else url
    return re.sub(r"(?<=[?&]password=)[^&]*", "***", shown)
