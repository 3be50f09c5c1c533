"""The page of metrics: what happened, what waits, and how late a stream is."""

import urllib.request

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

REGISTER = "GB('KeysReader', desc='counts').foreach(lambda x: execute('INCR', 'n'))" \
    ".register(prefix='k:*', mode='sync')"  # fmt: skip
FAIL = "GB('KeysReader').foreach(lambda x: 1 / 0).register(prefix='bad:*', mode='sync')"


@pytest.fixture
def own(redis_server, tmp_path, free_port):
    """A minigears with a metrics page."""
    gears = MiniGears(redis_server, tmp_path, "--metrics", f"127.0.0.1:{free_port}")
    gears.start()
    gears.metrics = lambda: scrape(free_port)
    yield gears
    assert gears.stop() == 0


def scrape(port: int) -> dict:
    """The samples of the page: {(name, registration's description or None, result or None): value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        families = text_string_to_metric_families(page.read().decode())
        return {
            (s.name, s.labels.get("description"), s.labels.get("result")): s.value
            for family in families
            for s in family.samples
        }


def test_metrics_tell_what_happened(own):
    own.run(REGISTER)
    own.run(FAIL)
    with own.client() as client:
        for i in range(3):
            client.set(f"k:{i}", i)
        client.set("bad:1", 1)
        seen = own.metrics()
    assert seen["minigears_clients", None, None] == 1
    assert seen["minigears_events_total", None, None] == 4
    assert seen["minigears_events_outstanding", None, None] == 0
    assert seen["minigears_function_runs_total", "counts", "success"] == 3
    assert seen["minigears_function_runs_total", "", "failure"] == 1
    assert ("minigears_function_seconds_total", "counts", None) in seen
    assert seen["minigears_redis_connected", None, None] == 1


def test_metrics_show_a_function_that_does_not_end(own):
    own.run("import time\nGB('KeysReader').foreach(lambda x: time.sleep(600))"
            ".register(prefix='k:*', mode='sync')")  # fmt: skip
    with own.raw() as sock:
        sock.sendall(b"SET k:1 1\r\n")
        wait_for(lambda: own.metrics()["minigears_events_outstanding", None, None], what="event")
        seen = own.metrics()
        assert seen["minigears_held_replies", None, None] == 1
        assert seen["minigears_intents_pending", None, None] == 1
        own.executor.kill()  # else it would get ten seconds to end
        wait_for(lambda: own.metrics()["minigears_executor_restarts_total", None, None], what="it")
        with own.client() as client:
            [registration] = client.execute_command("RG.DUMPREGISTRATIONS")
            client.execute_command("RG.UNREGISTER", registration[1])


def test_metrics_are_there_while_redis_does_not_answer(own):
    own.run(REGISTER)
    frozen = psutil.Process(own.server.process.pid)
    frozen.suspend()
    try:
        seen = own.metrics()
    finally:
        frozen.resume()
    assert seen["minigears_intents_pending", None, None] == -1
    assert seen["minigears_keys_registrations", None, None] == 1


LAG = """
def f(x):
    if not execute('EXISTS', 'go'):
        raise Exception('not yet')
GB('StreamReader', desc='late').foreach(f) \\
    .register(prefix='s:*', onFailedPolicy='retry', onFailedRetryInterval=1)
"""


def test_metrics_show_how_late_a_stream_is(own):
    own.run(LAG)
    lag = ("minigears_stream_lag_seconds", "late", None)
    with own.client() as client:
        assert own.metrics()[lag] == 0
        long_ago = client.time()[0] - 1000
        client.xadd("s:1", {"n": 1}, id=f"{long_ago}000-0")
        wait_for(lambda: own.metrics()[lag] >= 1000, what="the lag of a batch that failed")
        client.set("go", 1)
        wait_for(lambda: not client.xlen("s:1"), what="the batch")
        client.xadd("s:1", {"n": 2})
        wait_for(lambda: own.metrics()[lag] < 1000, what="the lag of a batch in time")
