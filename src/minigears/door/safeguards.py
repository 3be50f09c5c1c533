"""Settings of Redis that endanger what functions promise: looked at as long as minigears runs.

One is put right here: without notifications no function runs. The others are for whoever runs Redis to
decide; they are named in the log, in `INFO minigears` and on the metrics page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from minigears.door.availability import Availability
from minigears.door.events.notifications import SETTING, enable_notifications, with_needed
from minigears.door.events.watch import Watch
from minigears.door.redis import BackendError

log = logging.getLogger(__name__)

WATCHED = ("notify-keyspace-events", "maxmemory-policy", "appendonly", "replicaof")
_PAUSE = 0.5  # seconds between two looks
_IN_FLIGHT = 0.1  # seconds that replies to writes without notifications may still be on their way


def dangers_in(settings: Mapping[bytes, bytes]) -> dict[str, str]:
    """Which of the watched settings endanger functions, and in which way. No I/O."""
    found = {}
    policy = settings.get(b"maxmemory-policy", b"").decode()
    if policy.startswith("allkeys"):
        mended = policy.replace("allkeys", "volatile")
        found["maxmemory-policy"] = (
            f"Redis may evict streams that nobody has read and intents: CONFIG SET maxmemory-policy {mended}"
        )
    if settings.get(b"appendonly") == b"no":
        found["appendonly"] = (
            "a crash of Redis loses what it acknowledged since its last snapshot: CONFIG SET appendonly yes"
        )
    if settings.get(b"replicaof"):
        found["replicaof"] = (
            "Redis is a replica: functions cannot write. Start minigears at its master"
        )
    return found


class Safeguards:
    """Looks at one Redis's settings again and again."""

    def __init__(self, watch: Watch, availability: Availability):
        self._watch = watch
        self._availability = availability
        self.at_risk: dict[str, str] = {}
        """Setting → why it endangers functions."""
        self.restored = 0
        """How often notifications were found switched off, and switched on again."""

    async def watch(self) -> None:
        """Look for ever; what Redis says while it goes away is no matter of this loop."""
        while True:
            await self._availability.connected.wait()
            try:
                await self._look()
            except BackendError as error:
                log.debug("the settings of redis-server are not known: %s", error)
            await asyncio.sleep(_PAUSE)

    async def _look(self) -> None:
        answered, self._watch.answered = self._watch.answered, set()
        # These are all that this look vouches for.
        try:
            reply = await self._watch.admin.call("CONFIG", "GET", *WATCHED)
        except BackendError:
            self._watch.answered |= answered
            raise
        settings = dict(zip(reply[::2], reply[1::2], strict=True))
        interest = self._watch.interest
        flags = settings.get(SETTING)
        switched_off = flags is not None and with_needed(flags, interest.reads_matter) != flags
        if interest.needs_events and switched_off:
            await self._restore(answered)
        if interest:
            self._tell(dangers_in(settings))
        await self._watch.register.keep(self._watch.admin)

    async def _restore(self, answered: set[bytes]) -> None:
        """Switch notifications on, and make events of the writes that went by without."""
        await enable_notifications(self._watch.admin, self._watch.interest.reads_matter)
        await asyncio.sleep(_IN_FLIGHT)
        self.restored += 1
        missed = answered | self._watch.answered
        log.warning(
            "somebody switched off notify-keyspace-events. It is on again; functions run for the %d keys that clients "
            "of minigears wrote meanwhile, but for none that were written on Redis's own port or expired",
            len(missed),
        )
        await self._watch.hand_in(missed)

    def _tell(self, dangers: dict[str, str]) -> None:
        for setting, why in dangers.items():
            if setting not in self.at_risk:
                log.warning("%s: %s", setting, why)
        for setting in self.at_risk.keys() - dangers.keys():
            log.info("%s endangers no functions any more", setting)
        self.at_risk = dangers
