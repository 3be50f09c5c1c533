"""When to leave recipes/streams, and when recipes/kafka: the limits of both, and what both keep.

python -m tests.recipes.limits    # renews the tables in recipes/README.md

Limits are read from the recipes and from what the judge can ask of them, promises from what it has counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab import paths
from recipes.streams.client.calls import Limits
from recipes.streams.core.documents import MOST_BYTES
from recipes.streams.core.names import DEFAULT_PARTITIONS
from tests.histories.recipes.kafka import Kafka
from tests.histories.recipes.streams import Streams
from tests.histories.tally import FILE, Tally, load, survived
from tests.histories.verdict.history import Kind
from tests.marked import renewed

PAGE = paths.root() / "recipes" / "README.md"

PROMISES = (
    "nothing acknowledged is missing",
    "no document goes back to an older version",
    "nothing deleted comes back",
    "order per key, and whole documents",
    "what was refused is in the dead letters, once",
    "only what was refused is in the dead letters",
    "the two stores are equal once all is calm",
    "lag and depth return below their goals",
)
"""The judge's rules, by their names, that ask the same of any log."""

_KAFKAS = ("kafka", "kafka-group")
"""What the judge calls the recipe, with fixed shares and in a group."""

_MB = 1024 * 1024
_KAFKAS_OWN = 1  # MB that a Kafka broker takes as one record, unless it is told otherwise


@dataclass(frozen=True)
class Limit:
    """A reason to leave one recipe for the other: what this one can, and what that one can."""

    leave: str
    when: str
    here: str
    there: str


def limits() -> list[Limit]:
    """Every limit, those of the streams recipe first."""
    most = Limits()
    room = (
        f"{DEFAULT_PARTITIONS} partitions of {most.entries:,} entries or {most.bytes // _MB} MB each,"
        " as set at first, in Redis's memory; then writers wait, and get `QueueFull`"
    )
    parts = sorted((Streams.kinds - Kafka.kinds - {Kind.READ}), key=list(Kind).index)
    return [
        Limit("streams", "several teams read the changes",
              "one reader: what the database has leaves the stream", "each group reads all, at its own pace"),
        Limit("streams", "days of changes are read again",
              "what the database has is gone", "from any offset, as far as retention goes back"),
        Limit("streams", "what waits in an outage outgrows memory",
              room, "the brokers' disks; retention deletes what nobody has read"),
        Limit("kafka", "writers change parts of documents",
              f"only {_told(Kafka.kinds)}, of whole documents", f"also {_told(parts)}"),
        Limit("kafka", "the application reads what it has just written",
              "not before it is in the database", "from Redis, at once"),
        Limit("kafka", f"documents are larger than {_KAFKAS_OWN} MB, and the brokers are not yours to set",
              f"{_KAFKAS_OWN} MB, unless `max.message.bytes` is raised", f"{MOST_BYTES // _MB} MB"),
        Limit("kafka", "nobody here runs Kafka",
              "brokers, two topics, retention, an epoch when offsets begin anew", "the Redis that is there"),
    ]  # fmt: skip


def reasons() -> list[str]:
    """The table of limits, a line an item."""
    head = ["| leave | when | here | in the other |", "|---|---|---|---|"]
    rows = [f"| `{one.leave}/` | {one.when} | {one.here} | {one.there} |" for one in limits()]
    return head + rows


def promises(tally: Tally) -> list[str]:
    """The table of promises, a line an item: in how many histories each recipe has kept them."""
    head = ["| promise | `streams/` kept it in | `kafka/` kept it in |", "|---|--:|--:|"]
    shown = [
        f"| {promise} | {_kept(tally, promise, 'streams')} | {_kept(tally, promise, *_KAFKAS)} |"
        for promise in PROMISES
    ]
    return head + shown


def with_tables(page: str, tally: Tally) -> str:
    """Return a page with both tables renewed. Raises ValueError for one without the marks."""
    return renewed(renewed(page, "leave", reasons()), "promises", promises(tally))


def _told(kinds: object) -> str:
    *others, last = [kind.value for kind in Kind if kind in kinds]  # type: ignore[operator]
    return f"{', '.join(others)} and {last}"


def _kept(tally: Tally, promise: str, *recipes: str) -> str:
    entries = [tally.get(recipe, {}) for recipe in recipes]
    histories = sum(survived(entry).histories for entry in entries)
    broken = sum(promise in rules for e in entries for rules in e.get("lost", {}).values())
    return f"{histories - broken:,} of {histories:,} histories" if histories else "not counted"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), load(FILE)), "utf-8")
