"""`python -m recipes.kafka dead-letters`, as somebody on call uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recipes.streams.verbs.places import MEND, TRY_AGAIN
from tests.freeports import free_ports
from tests.minigears.realredis import wait_for
from tests.recipes.kafka.broker import Broker
from tests.recipes.kafka.test_worker import running, stored, worker, write
from tests.recipes.servers import MongoServer

Run = Callable[..., Result]


@pytest.fixture
def run(broker: Broker, mongo: MongoServer, topic: str) -> Run:
    where = {
        "KAFKA_SERVERS": broker.servers,
        "KAFKA_TOPIC": topic,
        "WRITEBEHIND_DATABASE": f"{mongo.url}/{topic}?directConnection=true",
        "WRITEBEHIND_ROUTE": "Movie:=movies",
        "COLUMNS": "200",
    }

    from recipes.kafka.cli import main

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner(env=where).invoke(main, ["dead-letters", *words])
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def names(broker: Broker, mongo: MongoServer, topic: str, run: Run, log: Path) -> dict[str, str]:
    """Three movies entered twice each, where an index allows of each title one: dead letters by key."""
    with mongo.client() as client:
        client[topic].movies.create_index("title", unique=True)
    for movie in ("Alien", "Brazil", "Charade"):
        write(broker, topic, [(f"Movie:{movie}", {"title": movie})])
    with running(worker(broker, mongo, topic, "--attempts", "2"), log):
        wait_for(lambda: len(stored(mongo, topic)) == 3, 60, log.read_text)
        for movie in ("Alien", "Brazil", "Charade"):
            write(broker, topic, [(f"Movie:{movie} again", {"title": movie, "n": 1})])
        wait_for(lambda: len(broker.records(f"{topic}.dead")) == 3, 60, log.read_text)
    return listed(run)


def listed(run: Run) -> dict[str, str]:
    lines = run("list").output.splitlines()
    return {
        m[2]: m[1] for line in lines if (m := re.match(r"│ (\d+/\d+) +│ (Movie:[^│]*\S) +│", line))
    }


def test_they_are_listed_shown_and_brought_in_once_the_cause_is_mended(
    broker: Broker, mongo: MongoServer, topic: str, run: Run, names: dict[str, str]
) -> None:
    assert set(names) == {f"Movie:{movie} again" for movie in ("Alien", "Brazil", "Charade")}
    alien, brazil = names["Movie:Alien again"], names["Movie:Brazil again"]
    shown = json.loads(run("show", alien).output)
    assert shown["id"] == alien
    assert shown["attempts"] == 2
    assert "duplicate key" in shown["error"]
    assert json.loads(shown["document"]) == {"title": "Alien", "n": 1}

    told = run("replay", alien, code=1).output  # nothing is mended yet
    assert "refused again: Movie:Alien again: " in told
    assert listed(run) == names

    with mongo.client() as client:
        client[topic].movies.drop_index("title_1")
    assert run("replay", alien).output == "written: Movie:Alien again\n"
    assert stored(mongo, topic)["Movie:Alien again"] == {"title": "Alien", "n": 1}
    del names["Movie:Alien again"]
    assert listed(run) == names
    run("show", alien, code=1)

    run("drop", "--yes", brazil)
    run("replay", "--all")
    assert listed(run) == {}
    assert "Movie:Brazil again" not in stored(mongo, topic)
    assert stored(mongo, topic)["Movie:Charade again"] == {"title": "Charade", "n": 1}
    run("replay", code=2)
    run("show", "0/99", code=1)


def test_a_replay_overwrites_nothing_newer_and_other_readers_see_none_of_it(
    broker: Broker, mongo: MongoServer, topic: str, run: Run, names: dict[str, str], log: Path
) -> None:
    with mongo.client() as client:
        client[topic].movies.drop_index("title_1")
    with running(worker(broker, mongo, topic), log):
        write(broker, topic, [("Movie:Alien again", {"title": "Alien", "n": 2})])
        write(broker, topic, [("Movie:Brazil again", None)])
        wait_for(lambda: "Movie:Alien again" in stored(mongo, topic), 60, log.read_text)
        with mongo.client() as client:
            tombstone = {"_id": "Movie:Brazil again", "_deleted": True}
            wait_for(lambda: client[topic].movies.find_one(tombstone), 60, log.read_text)
    before = len(broker.records(topic))
    run("replay", "--all")
    now = stored(mongo, topic)
    assert now["Movie:Alien again"]["n"] == 2
    assert "Movie:Brazil again" not in now
    assert "Movie:Charade again" in now
    assert listed(run) == {}
    assert len(broker.records(topic)) == before


def test_one_older_than_a_delete_is_remembered_waits_for_somebodys_word(
    mongo: MongoServer, topic: str, run: Run, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.kafka import letters

    with mongo.client() as client:
        client[topic].movies.drop_index("title_1")
        client[topic].movies.insert_one({"_id": "Movie:Alien again", "_v": "", "n": 0})
    monkeypatch.setattr(letters, "TOMBSTONE_SECONDS", 0)
    told = run("replay", "--all", code=1).output
    assert "written: Movie:Alien again" in told  # it is there, so nobody has deleted it since
    assert told.count("--though-gone") == 2
    assert set(listed(run)) == {"Movie:Brazil again", "Movie:Charade again"}
    run("replay", "--all", "--though-gone")
    assert "Movie:Brazil again" in stored(mongo, topic)
    assert listed(run) == {}


def test_what_comes_twice_after_a_crash_is_one_letter_and_may_be_refused_anew(
    broker: Broker, topic: str, run: Run, names: dict[str, str]
) -> None:
    from recipes.kafka import Topic
    from recipes.kafka.letters import DeadLetters

    dead = DeadLetters(broker.servers, Topic(topic, 2), 20)
    first = dead.waiting()[0]
    dead.bury(first.letter)
    assert listed(run) == names
    dead.settle(first, "replayed")
    assert len(listed(run)) == 2
    dead.bury(first.letter)
    assert len(listed(run)) == 3
    dead.close()


def test_a_topic_that_is_not_there_is_for_a_person_and_a_server_that_is_away_for_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.kafka import verbs

    monkeypatch.setattr(verbs, "_ANSWERS_WITHIN", 1.0)
    [nobody] = free_ports(1)
    assert "there is no topic" in run("list", "--topic", "nowhere", code=MEND).output
    run("list", "--servers", f"127.0.0.1:{nobody}", code=TRY_AGAIN)
