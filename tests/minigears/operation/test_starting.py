"""How minigears starts, where it cannot, and how a start is broken off."""

import signal
import socket
import subprocess
import sys

import pytest
import redis

from minigears.address import Address
from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

COMMAND = [sys.executable, "-m", "minigears", "--listen", "127.0.0.1:0"]


def refused(*options: str) -> str:
    """What minigears says that does not start with these options."""
    told = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60)
    assert told.returncode in (1, 2)
    assert "Traceback" not in told.stderr
    return " ".join(told.stderr.split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_breaks_off_a_start(number):
    """What is at Redis's address may never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        with subprocess.Popen([*COMMAND, "--redis", url], stdout=subprocess.PIPE) as process:
            connection, _ = mute.accept()
            with connection:
                process.send_signal(number)
                assert process.wait(30) == 0
            assert process.stdout.read() == b""


@pytest.mark.parametrize("closed", ["0<&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_standard_streams_may_be_closed(redis_server, tmp_path, free_port, closed):
    options = ["--redis", f"unix://{redis_server.socket}", "--cache", str(tmp_path)]
    options += ["--listen", f"127.0.0.1:{free_port}"]
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *options]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:

        def answers() -> object:
            assert process.poll() is None
            with redis.Redis(port=free_port, socket_timeout=None, retry=None) as client:
                try:
                    return client.ping()
                except redis.ConnectionError:
                    return False

        wait_for(answers, what="minigears")
        with redis.Redis(port=free_port, socket_timeout=None, retry=None) as client:
            script = "print('said')\nGB('ShardsIDReader').run()"
            assert client.execute_command("RG.PYEXECUTE", script) == [[b"1"], []]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_named(gears):
    taken = f"127.0.0.1:{gears.port}"
    behind = f"unix://{gears.server.socket}"
    told = refused("--redis", behind, "--listen", taken)
    assert f"cannot listen on {taken}" in told
    assert "Choose another --listen" in told
    told = refused("--redis", behind, "--metrics", taken)
    assert f"no metrics on {taken}" in told
    assert "Choose another --metrics" in told


@pytest.mark.parametrize("place", ["..:80", f"{'a' * 300}:80"])
def test_a_host_that_cannot_be_one(place):
    assert f"cannot listen on {place}" in refused("--listen", place, "--allow-open")
    assert "cannot reach redis-server" in refused("--redis", f"redis://{place}")


def test_a_port_that_is_no_number():
    assert "is not HOST:PORT" in refused("--listen", "127.0.0.1:\u00b2")


@pytest.mark.parametrize(
    "url",
    [
        "redis://:sec#ret@127.0.0.1:1",
        "redis://:sec/ret@127.0.0.1:1",
        "redis://:sec?ret@127.0.0.1:1",
        "redis://:secret",
        "redis://user:secret@:6379",
        "redis://[::1",
        "redis://127.0.0.1:0",
        "redis://127.0.0.1:99999",
        "http://:secret@127.0.0.1:1",
        "unix:///a#b",
    ],
)
def test_an_address_that_is_wrong_is_refused_without_showing_a_password(url):
    told = refused("--redis", url)
    assert "is no address of a Redis: write redis://HOST:PORT" in told
    assert "sec" not in told
    assert "ret" not in told


def test_another_database_is_refused():
    assert "functions see database 0 only" in refused("--redis", "redis://127.0.0.1:1/5")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://[::1]:7", Address("::1", 7)),
        ("redis://%2F%40u:p%23%2F@h", Address("h", 6379, user="/@u", password="p#/")),
        ("rediss://h/0?ssl_ca_certs=f", Address("h", tls=True, query="ssl_ca_certs=f")),
        ("unix://u%2F:p%40@/a%23b", Address(path="/a#b", user="u/", password="p@")),
    ],
)
def test_the_executor_gets_the_same_address(url, address):
    parsed = Address.parse(url)
    assert parsed == address
    shown, password = parsed.without_password()
    assert Address.parse(shown).with_password(password) == address


def test_an_ipv6_address_is_in_brackets(redis_server, tmp_path):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    gears = MiniGears(redis_server, tmp_path, "--listen", "[::1]:0")
    try:
        gears.start()
        assert gears.port
        with redis.Redis("::1", gears.port) as client:
            assert client.ping()
    finally:
        gears.stop()
