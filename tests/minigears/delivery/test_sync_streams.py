"""A sync StreamReader holds the reply of XADD until its function has run."""

from __future__ import annotations

import threading

import pytest

from tests.minigears.realgears import MiniGears

COUNT = "GB('StreamReader').foreach(lambda x: execute('incr', 'n')).register(prefix='{}', mode='sync'{})"


@pytest.mark.parametrize("prefix", ["foo", "fo*"])
def test_no_reader_is_ahead_of_its_function(gears: MiniGears, prefix: str) -> None:
    gears.run(COUNT.format(prefix, ""))
    with gears.client() as client:
        for n in range(1, 201):
            client.xadd("foo", {"a": "b"})
            assert int(client.get("n")) == n


def test_several_clients_and_streams_and_transactions(gears: MiniGears) -> None:
    gears.run(COUNT.format("foo*", ""))

    def write(name: str) -> None:
        with gears.client() as client:
            for _ in range(40):
                with client.pipeline() as pipe:
                    pipe.xadd(f"foo{name}", {"a": "b"}).xadd(f"foo{name}", {"a": "b"}).execute()

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with gears.client() as client:
        assert client.get("n") == "320"


def test_a_batch_that_is_not_full_holds_nobody(gears: MiniGears) -> None:
    gears.run(COUNT.format("foo", ", batch=3"))
    with gears.client() as client:
        for n in range(1, 7):
            client.xadd("foo", {"a": "b"})
            assert int(client.get("n") or 0) == n // 3 * 3


def test_what_comes_right_after_the_registration_waits_for_a_full_batch(gears: MiniGears) -> None:
    """What was there before does not wait: the first look tells the two apart by their ids."""
    with gears.client() as client:
        later = client.time()[0] * 1000 + 60_000  # ids tell milliseconds, and one is long for this
        for n in range(10):
            together = client.pipeline(transaction=False)
            together.execute_command("RG.PYEXECUTE", COUNT.format(f"foo{n}", ", batch=3"))
            together.xadd(f"foo{n}", {"a": "b"}, id=f"{later}-1").xadd(f"foo{n}", {"a": "b"}).get(
                "n"
            )
            assert together.execute()[-1] is None
            client.xadd(f"foo{n}", {"a": "b"})
            assert client.getdel("n") == "3"


def test_a_function_that_fails_holds_nobody(gears: MiniGears) -> None:
    gears.run("GB('StreamReader').foreach(lambda x: 1/0).register(prefix='foo', mode='sync')")
    with gears.client() as client:
        assert client.xadd("foo", {"a": "b"})
        assert client.xlen("foo") == 0


def test_a_paused_registration_holds_nobody(gears: MiniGears) -> None:
    gears.run(COUNT.format("foo", ""))
    with gears.client() as client:
        [registration] = client.execute_command("RG.DUMPREGISTRATIONS")
        client.execute_command("RG.PAUSEREGISTRATIONS", registration[1])
        assert client.xadd("foo", {"a": "b"})
        assert client.get("n") is None
