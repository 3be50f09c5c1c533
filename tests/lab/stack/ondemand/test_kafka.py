"""`lab.kafka()`: it takes records, leaves nothing behind, and says how to get it where it is not installed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab.stack.ondemand import kafka
from tests.recipes.kafka.broker import needs_kafka


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that no other test has; nothing may be left in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.glob("lab-kafka-*")) == []


def test_it_takes_records_and_leaves_nothing(temporary: Path) -> None:
    needs_kafka()
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    server = lab.kafka()
    assert server is not None
    assert list(temporary.glob("lab-kafka-*")) != []
    try:
        admin = AdminClient({"bootstrap.servers": server.servers})
        for made in admin.create_topics([NewTopic("movies", 1)]).values():
            made.result(20)
        offsets: list[int] = []
        producer = Producer({"bootstrap.servers": server.servers, "log_level": 2})
        producer.produce(
            "movies", b"{}", on_delivery=lambda _, record: offsets.append(record.offset())
        )
        assert producer.flush(20) == 0
        assert offsets == [0]
    finally:
        server.stop()
    assert server._process.poll() is not None


def test_where_it_is_not_installed_a_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kafka, "_server", lambda: None)
    assert lab.kafka() is None
    [line] = capsys.readouterr().out.splitlines()
    assert "make kafka" in line


def test_where_it_does_not_start_a_line_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_kafka()
    monkeypatch.setattr(kafka, "words", lambda *_: ["sh", "-c", "echo no room; exit 3"])
    assert lab.kafka() is None
    assert "No Kafka here: it ended: no room" in capsys.readouterr().out
