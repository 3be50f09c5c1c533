"""What may die, and what must not be lost then."""

import signal
import threading
from collections.abc import Iterator

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import RedisServer, wait_for

REGISTER = """
GB('KeysReader').foreach(lambda x: execute('SADD', 'done:{mode}', x['key'])) \\
    .register(prefix='k:*', mode='{mode}', readValue=False)
"""


@pytest.fixture
def own(start_redis, tmp_path) -> Iterator[MiniGears]:
    """A minigears of the test's own, in front of a Redis that keeps an AOF."""
    server: RedisServer = start_redis("--appendonly", "yes", "--appendfsync", "always")
    gears = MiniGears(server, tmp_path)
    gears.start()
    yield gears
    gears.stop()


class Writers:
    """Clients that write until they are told to stop, and note what was acknowledged."""

    def __init__(self, gears: MiniGears, clients: int = 4):
        self._gears = gears
        self._stop = threading.Event()
        self.acknowledged: set[str] = set()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        i = 0
        while not self._stop.is_set():
            try:
                with self._gears.client(socket_timeout=20) as client:
                    while not self._stop.is_set():
                        key = f"k:{number}:{i}"
                        client.set(key, i)
                        self.acknowledged.add(key)
                        i += 1
            except redis.RedisError:
                i += 1  # not acknowledged: whether it counts is open


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("victim", ["door", "executor", "redis"])
def test_no_acknowledged_write_goes_without_its_function(own, mode, victim):
    own.run(REGISTER.format(mode=mode))
    with Writers(own) as writers:
        for round_number in range(1, 4):
            wait_for(lambda n=round_number: len(writers.acknowledged) > 100 * n, what="writes")
            _kill(own, victim)
    with own.client() as client:

        def done() -> bool:
            try:
                return writers.acknowledged <= client.smembers(f"done:{mode}")
            except redis.BusyLoadingError:  # the door has not found the new redis-server yet
                return False

        wait_for(done, what="a function for every acknowledged write")
        values = client.mget(sorted(writers.acknowledged))
        assert None not in values


def _kill(gears: MiniGears, victim: str) -> None:
    if victim == "door":
        gears.kill()
        gears.start()
    elif victim == "executor":
        executor = gears.executor
        assert executor is not None
        executor.kill()
        wait_for(lambda: gears.executor not in (None, executor), what="another executor")
    else:
        gears.server.stop(signal.SIGKILL)
        gears.server.start()


def test_registrations_survive_a_restart(own):
    own.run(REGISTER.format(mode="sync"))
    assert own.stop() == 0
    own.start()
    with own.client() as client:
        client.set("k:1", 1)
        assert client.smembers("done:sync") == {"k:1"}


def test_sigterm_lets_functions_on_their_way_finish(own):
    own.run("import time\nGB('KeysReader').foreach(lambda x: (time.sleep(.5), execute('SET', 'done', 1)))"
            ".register(prefix='k:*', mode='sync')")  # fmt: skip
    with own.raw() as sock:
        sock.sendall(b"SET k:1 1\r\n")
        direct = own.server.connect()
        wait_for(lambda: direct.call("EXISTS", "k:1"), what="the write")
        own.process.send_signal(signal.SIGTERM)
        assert sock.recv(100) == b"+OK\r\n"
        assert own.process.wait(30) == 0
        assert direct.call("GET", "done") == b"1"
        direct.close()


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import os; os._exit(3)",
        "import sys; sys.exit(3)",
        "import os; os.fork()",
        "print('x' * 5_000_000)",
        "raise BaseException('any')",
    ],
)
def test_what_one_function_does_is_no_harm_to_other_keys(own, body):
    own.run(
        f"def f(x):\n    {body}\nGB('KeysReader').foreach(f).register(prefix='bad:*', mode='sync')"
    )
    with own.raw() as bad, own.client() as client:
        bad.sendall(b"SET bad:1 1\r\n")
        wait_for(lambda: client.exists("bad:1"), what="the write")
        for i in range(20):
            assert client.set(f"other:{i}", i)
        assert client.get("bad:1") == "1"


def test_a_port_that_is_taken_is_said_at_once(own, tmp_path):
    other = MiniGears(own.server, tmp_path / "..")
    other.directory.mkdir(exist_ok=True)
    other.port = own.port
    with pytest.raises(AssertionError, match="address already in use"):
        other.start()
    assert other.process.wait(30) == 1
