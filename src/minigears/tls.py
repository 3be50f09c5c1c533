"""TLS: of the port that clients connect to, and of the connections to redis-server."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path
from urllib.parse import parse_qs

_File = tuple[str | None, tuple[int, ...]]
"""A file, or none, and which version of it."""


def server_context(certificate: Path, key: Path, authorities: Path | None) -> ssl.SSLContext:
    """What the listening side shows its clients.

    With `authorities`, a file of certificates, a client has to show one that one of them signed.
    Raises OSError (`ssl.SSLError` is one) when a file is no certificate or no key of it.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authorities)
    context.load_cert_chain(certificate, key)
    if authorities:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(query: str) -> ssl.SSLContext:
    """How redis-server is checked, and what it is shown: the query of a `rediss://` URL.

    It knows `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`, each a file, as redis-py does. Without
    the first, the authorities that the system trusts count. It is the same one until a file changes:
    reading the authorities takes as long as a thousand commands. Raises OSError for files that are bad.
    """
    files = {name: values[0] for name, values in parse_qs(query).items()}
    return _client_context(*((name, _version(name)) for name in map(files.get, _FILES)))


_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def _version(name: str | None) -> tuple[int, ...]:
    """Of a file that may be written again; nothing for none."""
    if name is None:
        return ()
    status = Path(name).stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=4)
def _client_context(authorities: _File, certificate: _File, key: _File) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities[0])
    if certificate[0] is not None:
        context.load_cert_chain(certificate[0], key[0])
    return context
