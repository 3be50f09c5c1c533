"""The recipes that are judged: how each is started, written to, and read. The judge knows none of them."""

from __future__ import annotations

from collections.abc import Callable

from tests.histories.recipes import capture, cluster, gears, kafka, streams
from tests.histories.recipes.interface import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    "streams": streams.on_mongodb,
    "streams-cluster": cluster.on_three_masters,
    "streams-cluster-replicas": cluster.on_three_masters_with_replicas,
    "streams-cluster-without-wait": cluster.on_three_masters_with_replicas_without_wait,
    "streams-everysec": streams.on_mongodb_everysec,
    "streams-everysec-forgetful": streams.on_mongodb_forgetful,
    "streams-postgresql": streams.on_postgresql,
    "streams-postgresql-everysec": streams.on_postgresql_everysec,
    "capture": capture.on_mongodb,
    "gears": gears.hardened,
    "rgsync": gears.shipped,
    "kafka": kafka.with_shares,
    "kafka-group": kafka.in_group,
}
"""What can be judged, by the name that the command line takes."""
