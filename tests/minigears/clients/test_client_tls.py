"""TLS at the port of minigears, and between it and Redis."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from lab.tools import gearscli
from tests.minigears.clients.clientprograms import run
from tests.minigears.realgears import SHARED_CACHE, MiniGears
from tests.minigears.realredis import RedisServer, wait_for
from tests.programs import left_out

pytestmark = pytest.mark.xdist_group("clients")

COUNT = "GB().foreach(lambda x: execute('SET', 'copy', execute('GET', x['key']))).register(prefix='k:*', mode='sync')"
LARGE = "x" * 3_000_000
"""Many TLS records."""


@dataclass
class Certificate:
    """One that signs itself, so it is its own authority."""

    file: Path
    key: Path


def make_certificate(folder: Path, name: str) -> Certificate:
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", made.key, "-out", made.file)  # fmt: skip
    return made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, Certificate]:
    """The server's, and a client's."""
    if not shutil.which("openssl"):
        left_out("no openssl on this machine (Debian: apt-get install openssl)")
    folder = tmp_path_factory.mktemp("certificates")
    return make_certificate(folder, "server"), make_certificate(folder, "client")


@pytest.fixture
def start_gears(tmp_path: Path) -> Iterator[Callable[..., MiniGears]]:
    """Starts a minigears with more options."""
    started: list[MiniGears] = []

    def start(server: Any, *options: object) -> MiniGears:
        words = ["--cache", str(SHARED_CACHE), *map(str, options)]
        started.append(MiniGears(server, tmp_path, *words))
        started[-1].start()
        return started[-1]

    yield start
    for gears in started:
        assert gears.stop() == 0


@pytest.fixture
def secure(
    start_gears: Callable[..., MiniGears],
    redis_server: RedisServer,
    certificates: tuple[Certificate, Certificate],
) -> MiniGears:
    """A minigears that speaks TLS with everybody."""
    server, _ = certificates
    return start_gears(redis_server, "--tls-cert", server.file, "--tls-key", server.key)


def gears_cli(gears: MiniGears, script: Path, *words: object) -> tuple[int, str]:
    program = [gearscli.ensure(), "run", "--host", "localhost", "--port", gears.port]
    line = [str(word) for word in (*program, *words, script)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def write_much(client: redis.Redis) -> None:
    """One large value, which a function copies, and a long pipeline."""
    client.set("k:1", LARGE)
    assert client.get("copy") == LARGE
    pipe = client.pipeline(transaction=False)
    for n in range(500):
        pipe.set(f"k:{n}", n).get(f"k:{n}")
    assert pipe.execute()[1::2] == [str(n) for n in range(500)]


def test_clients_that_speak_tls(secure: MiniGears, certificates: Any, redis_cli: str) -> None:
    server, _ = certificates
    with secure.client(ssl=True, ssl_ca_certs=str(server.file)) as client:
        assert client.execute_command("RG.PYEXECUTE", COUNT) == "OK"
        write_much(client)
    said = run(redis_cli, "-p", secure.port, "--tls", "--cacert", server.file, "GET", "k:7")
    assert said == "7\n"


def test_clients_that_do_not_are_turned_away(secure: MiniGears) -> None:
    with secure.client() as client, pytest.raises(redis.ConnectionError):
        client.ping()
    with secure.client(ssl=True) as client, pytest.raises(redis.ConnectionError):
        client.ping()  # the certificate is one that nobody vouches for


def test_gears_cli_with_tls(secure: MiniGears, certificates: Any, tmp_path: Path) -> None:
    server, _ = certificates
    script = tmp_path / "script.py"
    script.write_text("GB('ShardsIDReader').map(lambda x: 'it runs').run()\n")
    status, said = gears_cli(secure, script, "--ssl", True, "--ssl-ca-certs", server.file)
    assert (status, "it runs" in said) == (0, True), said
    status, said = gears_cli(secure, script, "--ssl", True, "--ssl-verify-ca", False)
    assert (status, "it runs" in said) == (0, True), said
    status, said = gears_cli(secure, script, "--ssl", True)
    assert (status, "Cannot connect to Redis" in said) == (1, True), said


def test_clients_that_have_to_show_a_certificate(
    start_gears: Callable[..., MiniGears],
    redis_server: RedisServer,
    certificates: tuple[Certificate, Certificate],
    tmp_path: Path,
) -> None:
    server, client = certificates
    options = ("--tls-cert", server.file, "--tls-key", server.key, "--tls-ca", client.file)
    gears = start_gears(redis_server, *options)
    script = tmp_path / "script.py"
    script.write_text("GB('ShardsIDReader').map(lambda x: 'it runs').run()\n")
    words = ("--ssl", True, "--ssl-ca-certs", server.file)
    status, said = gears_cli(gears, script, *words)
    assert (status, "Cannot connect to Redis" in said) == (1, True), said
    words += ("--ssl-certfile", client.file, "--ssl-keyfile", client.key)
    status, said = gears_cli(gears, script, *words)
    assert (status, "it runs" in said) == (0, True), said


@pytest.mark.parametrize("option", ["--tls-cert", "--tls-key", "--tls-ca"])
def test_half_of_what_tls_needs_is_an_error(certificates: Any, option: str) -> None:
    server, _ = certificates
    words = [sys.executable, "-m", "minigears", option, server.file]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "TLS needs both --tls-cert and --tls-key" in done.stderr


class TlsRedis:
    """A redis-server that wants TLS, and certificates of its clients, at its TCP port."""

    def __init__(self, folder: Path, port: int, certificates: tuple[Certificate, Certificate]):
        server, client = certificates
        self.socket = folder / "redis.sock"
        self._log = folder / "redis.log"
        self.url = (
            f"rediss://localhost:{port}?ssl_ca_certs={server.file}"
            f"&ssl_certfile={client.file}&ssl_keyfile={client.key}"
        )
        self._words = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", ""]
        self._words += ["--dir", folder, "--logfile", self._log, "--tls-port", port]
        self._words += ["--tls-cert-file", server.file, "--tls-key-file", server.key]
        self._words += ["--tls-ca-cert-file", client.file]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, program: str) -> bool:
        """Start it; False when this build has no TLS."""
        self._process = subprocess.Popen([str(w) for w in self._words], executable=program)
        wait_for(self._decided, what="redis-server with TLS")
        return self._process.poll() is None

    def _decided(self) -> bool:
        assert self._process is not None
        return self.socket.exists() or self._process.poll() is not None

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)


@pytest.fixture
def tls_redis(tmp_path: Path, free_port: int, certificates: Any) -> Iterator[TlsRedis]:
    """The machine's own redis-server, since the wheel's has no TLS."""
    server = TlsRedis(tmp_path, free_port, certificates)
    # Debian's redis-tools hold all of redis-server, under the name of its tool for RDB files.
    programs = filter(None, map(shutil.which, ("redis-server", "redis-check-rdb")))
    if not any(server.start(program) for program in programs):
        left_out("no redis-server with TLS on this machine (Debian: apt-get install redis-tools)")
    yield server
    server.stop()


def test_redis_behind_tls(start_gears: Callable[..., MiniGears], tls_redis: TlsRedis) -> None:
    gears = start_gears(tls_redis, "--redis", tls_redis.url)
    gears.run(COUNT)
    with gears.client() as client:
        write_much(client)
        assert client.get("copy") == "499"
