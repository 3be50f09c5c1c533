"""The page that Prometheus reads. Off unless `--metrics` asks for it.

The page is served by a thread; every figure is gathered on the door's own loop, so that nothing is
read while it changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import hiredis
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from minigears.address import host_and_port
from minigears.door.door import Door
from minigears.door.executor import ExecutorLost
from minigears.door.status import Figures, package_version

log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that the executor gets to say what it counted
_COUNTERS = {"events_total", "executor_restarts", "loop_failures", "notifications_restored"}
_HELP = {
    "clients": "Clients connected.",
    "clients_sharing": "Clients on shared connections to redis-server.",
    "held_replies": "Batches of writes whose replies wait for their functions.",
    "events_total": "Events handed to the executor.",
    "events_outstanding": "Events whose functions have not ended.",
    "intents_pending": "Writes that would become events again after a crash; -1: Redis is away.",
    "keys_registrations": "KeysReader registrations in force.",
    "hooks": "Command hooks in force.",
    "sessions_unloaded": "Stored sessions that could not be loaded yet: their registrations wait.",
    "stream_prefixes": "Prefixes of streams that registrations read.",
    "redis_connected": "1 while redis-server is there.",
    "redis_answers": "1 while redis-server is there and answers; 0 after ten seconds without an answer.",
    "executor_ready": "1 while the executor knows its registrations.",
    "executor_restarts": "Times that the executor had to be started again.",
    "loop_failures": "Failures in the door of what should never fail; its log has them.",
    "notifications_restored": "Times that notify-keyspace-events was found off and put right.",
    "settings_at_risk": "Settings of redis-server that endanger functions; INFO minigears says which.",
    "loops_down": "Loops of the door that have failed and are not started again yet.",
}
_RESULTS = {"success": "numSuccess", "failure": "numFailures", "aborted": "numAborted"}
_LABELS = ["id", "reader", "mode", "description"]

Fields = dict[str, Any]


class Page:
    """Serves `http://HOST:PORT/metrics` until it is closed."""

    def __init__(self, door: Door, host: str, port: int):
        """Listen; port 0 takes a free one. Raises OSError when the address is taken."""
        registry = CollectorRegistry()
        registry.register(_Collector(door, asyncio.get_running_loop()))
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (OSError, UnicodeError) as error:
            place = host_and_port(host, port)
            raise OSError(f"no metrics on {place}: {error}. Choose another --metrics") from None
        self.port: int = self._server.server_address[1]  # type: ignore[assignment]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """Asks the door for its figures whenever the page is read."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop):
        self._door = door
        self._loop = loop

    def describe(self) -> list[Metric]:
        """Nothing is known before the page is read (prometheus_client asks at once)."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of now."""
        asked = asyncio.run_coroutine_threadsafe(_gather(self._door), self._loop)
        try:
            figures, registrations = asked.result(2 * _PATIENCE)
        except FutureTimeoutError:
            asked.cancel()
            raise
        yield _version()
        yield from _of_figures(figures)
        yield from _of_registrations(registrations)


async def _gather(door: Door) -> tuple[Figures, list[Fields]]:
    return await door.overview.figures(), await _registrations(door)


async def _registrations(door: Door) -> list[Fields]:
    """What the executor counted; nothing while it is being started again."""
    try:
        dump = door.watch.executor.command([b"RG.DUMPREGISTRATIONS"], {"resp": 2})
        raw = await asyncio.wait_for(dump, _PATIENCE)
    except (ExecutorLost, asyncio.TimeoutError):
        log.warning("the executor did not say what it counted")
        return []
    reader = hiredis.Reader(encoding="utf-8", errors="replace")
    reader.feed(raw)
    shown = [_pairs(registration) for registration in reader.gets()]
    return [{**fields, **_pairs(fields["RegistrationData"])} for fields in shown]


def _pairs(flat: list[Any]) -> Fields:
    return dict(zip(flat[::2], flat[1::2], strict=False))


def _version() -> Metric:
    family = GaugeMetricFamily("minigears_info", "Always 1.", labels=["version"])
    family.add_metric([package_version()], 1)
    return family


def _of_figures(figures: Figures) -> Iterator[Metric]:
    for name, value in vars(figures).items():
        kind = CounterMetricFamily if name in _COUNTERS else GaugeMetricFamily
        yield kind(f"minigears_{name}", _HELP[name], value=value)


def _of_registrations(registrations: list[Fields]) -> Iterator[Metric]:
    """Counters begin at zero again when the executor is started again."""
    runs = CounterMetricFamily(
        "minigears_function_runs", "Ended runs of a registration.", labels=[*_LABELS, "result"]
    )
    triggered = CounterMetricFamily(
        "minigears_function_triggered", "Runs that were started.", labels=_LABELS
    )
    seconds = CounterMetricFamily(
        "minigears_function_seconds", "Time that ended runs took.", labels=_LABELS
    )
    lag = GaugeMetricFamily(
        "minigears_stream_lag_seconds", "Age of the last batch's oldest entry.", labels=_LABELS
    )
    for fields in registrations:
        labels = [fields["id"], fields["reader"], fields["mode"], fields["desc"] or ""]
        triggered.add_metric(labels, fields["numTriggered"])
        seconds.add_metric(labels, fields["totalRunDurationMS"] / 1000)
        for result, name in _RESULTS.items():
            runs.add_metric([*labels, result], fields[name])
        if "lastEstimatedLagMS" in fields:
            lag.add_metric(labels, fields["lastEstimatedLagMS"] / 1000)
    yield from (triggered, runs, seconds, lag)
