"""Where redis-server is: read once by the door, and passed on to the executor. No I/O."""

from __future__ import annotations

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
        parts = urlsplit(url)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if parts.scheme == "unix" and parts.path:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            path = unquote(parts.path)
            return cls(path=path, user=user, password=password or query.get("password"))
        if parts.scheme in ("redis", "rediss") and parts.hostname:
            tls = parts.scheme == "rediss"
            port = parts.port or 6379
            return cls(parts.hostname, port, None, user, password, tls, parts.query)
        raise ValueError(
            f"{url!r} is no address of a Redis: write redis://HOST:PORT, rediss://HOST:PORT or "
            "unix:///PATH/TO/SOCKET"
        )

    def with_password(self, password: str | None) -> Address:
        """The same place with this password, unless one is known."""
        return self if self.password or not password else replace(self, password=password)

    def without_password(self) -> tuple[str, str | None]:
        """The URL without the password, fit for a process list, and the password."""
        user = f"{quote(self.user)}@" if self.user else ""
        if self.path:
            return f"unix://{user}{quote(self.path)}", self.password
        scheme, query = ("rediss", f"?{self.query}") if self.tls else ("redis", "")
        return f"{scheme}://{user}{self.host}:{self.port}{query}", self.password

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"
