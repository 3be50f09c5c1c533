"""Which database a URL means. Its driver is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import Misconfigured
from .sink import Sink


def open_sink(url: str, routes: Mapping[str, str]) -> Sink:
    """The sink for a database's URL: mongodb://… or postgresql://…

    Raises Misconfigured for any other.
    """
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme == "mongodb":
        from .mongo import MongoSink

        return MongoSink(url, routes)
    if scheme in ("postgresql", "postgres"):
        from .postgres import PostgresSink

        return PostgresSink(url, routes)
    raise Misconfigured(f"a database URL begins with mongodb:// or postgresql://, not {scheme!r}")
