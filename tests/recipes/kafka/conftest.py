"""A broker and a database, once for all tests of this folder; each test has a topic of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.freeports import free_ports
from tests.recipes.kafka.broker import Broker, needs_kafka
from tests.recipes.servers import MongoServer

_numbers = itertools.count()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    needs_kafka()
    broker = Broker(tmp_path_factory.mktemp("kafka"), free_ports(1)[0])
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    mongo = MongoServer(tmp_path_factory.mktemp("mongo"), free_ports(1)[0])
    mongo.start()
    yield mongo
    mongo.stop()


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"movies{next(_numbers)}"
    broker.make(name)
    return name


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"
