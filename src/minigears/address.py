"""Where redis-server is: read once by the door, and passed on to the executor. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass(frozen=True)
class Address:
    """Where a redis-server listens, and how to log in."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    query: str = ""
    """Files for TLS; see `tls.client_context`."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read `redis://[user:password@]host:port`, `rediss://…` or `unix:///path/to/socket`.

        Raises:
            ValueError: the URL is of no such form; the message says what would be right.
        """
        try:
            parts = urlsplit(url)
            port = parts.port  # raises ValueError, too
        except ValueError:
            raise _wrong(url) from None
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if parts.scheme == "unix" and parts.path and not parts.fragment:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            path = unquote(parts.path)
            return cls(path=path, user=user, password=password or query.get("password"))
        host = None if parts.fragment or port == 0 else parts.hostname
        if parts.scheme in ("redis", "rediss") and host:
            if parts.path not in ("", "/", "/0"):
                raise ValueError("functions see database 0 only: leave out what follows HOST:PORT")
            tls = parts.scheme == "rediss"
            return cls(host, port or 6379, None, user, password, tls, parts.query)
        raise _wrong(url)

    def with_password(self, password: str | None) -> Address:
        """The same place with this password, unless one is known."""
        return self if self.password or not password else replace(self, password=password)

    def without_password(self) -> tuple[str, str | None]:
        """The URL without the password, fit for a process list, and the password."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        if self.path:
            return f"unix://{user}{quote(self.path)}", self.password
        scheme, query = ("rediss", f"?{self.query}") if self.tls else ("redis", "")
        return f"{scheme}://{user}{host_and_port(self.host, self.port)}{query}", self.password

    def __str__(self) -> str:
        return self.path or host_and_port(self.host, self.port)


def host_and_port(host: str, port: int) -> str:
    """Both in one word; an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _wrong(url: str) -> ValueError:
    """The error for a URL of no such form; a password in it is not shown."""
    shown = re.sub("//(.*@|:.*)", "//…", url)
    return ValueError(
        f"{shown!r} is no address of a Redis: write redis://HOST:PORT, rediss://HOST:PORT or "
        "unix:///PATH/TO/SOCKET, and in a user or a password %23 for #, %25 for %, %2F for /, "
        "%3A for :, %3F for ?, %40 for @"
    )
