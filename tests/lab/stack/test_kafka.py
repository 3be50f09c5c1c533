"""`lab.kafka()`: it takes records, leaves nothing behind, and says how to get it where it is not installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import lab
from lab.stack import kafka
from tests.recipes.kafka.broker import needs_kafka


def test_it_takes_records_and_leaves_nothing() -> None:
    needs_kafka()
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    before = set(Path(tempfile.gettempdir()).glob("lab-kafka-*"))
    server = lab.kafka()
    assert server is not None
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
    assert set(Path(tempfile.gettempdir()).glob("lab-kafka-*")) == before


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
    before = set(Path(tempfile.gettempdir()).glob("lab-kafka-*"))
    monkeypatch.setattr(kafka, "words", lambda *_: ["sh", "-c", "echo no room; exit 3"])
    assert lab.kafka() is None
    assert "No Kafka here: it ended: no room" in capsys.readouterr().out
    assert set(Path(tempfile.gettempdir()).glob("lab-kafka-*")) == before
