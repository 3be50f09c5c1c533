"""What tests of writes share: a key, and the entries that came of it."""

from __future__ import annotations

import pytest

from recipes.streams import WriteBehind
from recipes.streams.core.names import version_of
from tests.recipes.servers import has_json

KEY = "Movie:1"
needs_json = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")


def entries(wb: WriteBehind) -> list[dict[bytes, bytes]]:
    found = [e for p in wb.partitions.all() for e in wb.redis.xrange(p.stream)]
    return [fields for _, fields in sorted(found, key=lambda entry: version_of(entry[0].decode()))]
