"""A broker whose groups come and go as Kafka's do: the mock cluster of librdkafka, as a process of its own.

Kafka's client brings it, and its own tests of groups run on it. It has its records in memory, takes no
command of an admin, and is nothing to run a business on. Its functions are declared in librdkafka's
`rdkafka_mock.h`, which calls them experimental.

    python -m tests.recipes.kafka.mockbroker judged:2 judged.dead:1

makes topics of so many partitions, and says its port; each line that it reads is a port to tell clients.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

from tests.recipes.kafka.broker import Server

_BROKER = 1  # its number: one is all that there are
_REBALANCES_AFTER = 300
"""Milliseconds that the first member of a group waits for others. Kafka's own 3 s would only take time."""


class MockBroker(Server):
    """The process. `start` says where it listens, and `tell` what clients are told."""

    def __init__(self, folder: Path, **topics: int):
        self._log = folder / "kafka.log"
        self._topics = topics
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it, with its topics, each with one of dead letters."""
        words = [sys.executable, "-m", "tests.recipes.kafka.mockbroker"]
        for name, partitions in self._topics.items():
            words += [f"{name}:{partitions}", f"{name}.dead:1"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.port = self.told = self._hear()

    def tell(self, port: int) -> None:
        """Have clients come to another port: of a proxy before it, say."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{port}\n")
        self.process.stdin.flush()
        self.told = self._hear()

    def _hear(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, self._log.read_text(encoding="utf-8")
        return int(said)


def main(*topics: str) -> None:
    """Serve until the standard input ends."""
    mock = _library()
    said = ctypes.create_string_buffer(512)
    handle = mock.rd_kafka_new(0, mock.rd_kafka_conf_new(), said, len(said))
    assert handle, said.value
    cluster = mock.rd_kafka_mock_cluster_new(handle, 1)
    mock.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, _REBALANCES_AFTER)
    for topic in topics:
        name, _, partitions = topic.partition(":")
        problem = mock.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
        assert problem == 0, f"{topic}: error {problem}"
    print(mock.rd_kafka_mock_cluster_bootstraps(cluster).decode().rpartition(":")[2], flush=True)
    for port in sys.stdin:
        mock.rd_kafka_mock_broker_set_host_port(cluster, _BROKER, b"127.0.0.1", int(port))
        print(port.strip(), flush=True)


def _library() -> ctypes.CDLL:
    """The librdkafka of Kafka's client, with what its functions take and return."""
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    [file] = folder.glob("librdkafka*")
    library = ctypes.CDLL(str(file))
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    for name, gives, *takes in (
        ("conf_new", pointer),
        ("new", pointer, number, pointer, text, ctypes.c_size_t),
        ("mock_cluster_new", pointer, pointer, number),
        ("mock_cluster_bootstraps", text, pointer),
        ("mock_group_initial_rebalance_delay_ms", None, pointer, ctypes.c_int32),
        ("mock_topic_create", number, pointer, text, number, number),
        ("mock_broker_set_host_port", number, pointer, ctypes.c_int32, text, number),
    ):
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = gives, takes
    return library


if __name__ == "__main__":
    main(*sys.argv[1:])
