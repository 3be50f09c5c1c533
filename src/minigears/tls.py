"""TLS: of the port that clients connect to, and of the connections to redis-server."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qs


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
    the first, the authorities that the system trusts count. Raises OSError for files that are bad.
    """
    files = {name: values[0] for name, values in parse_qs(query).items()}
    context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
    if "ssl_certfile" in files:
        context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    return context
