"""The verbs of somebody on call: what became of the dead letters is up to a person."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from recipes.streams.core.errors import Forgotten, WriteBehindError
from recipes.streams.databases.opening import open_sink
from recipes.streams.verbs.places import Failed, parse_routes

from .letters import DeadLetters, Letter
from .records import Topic

_ANSWERS_WITHIN = 20.0
"""Seconds that Kafka may take where somebody waits for it."""

# Keys are data: ":new:" is no emoji, "[red]" no colour.
_out = Console(emoji=False, markup=False, highlight=False)


def log_options(verb: Any) -> Any:
    """The options that say which topic, where."""
    options = [
        click.option("--servers", default="127.0.0.1:9092", envvar="KAFKA_SERVERS", help="HOST:PORT,…"),
        click.option("--topic", required=True, envvar="KAFKA_TOPIC", help="Where writers write."),
    ]  # fmt: skip
    return functools.reduce(lambda made, option: option(made), reversed(options), verb)


def database_options(verb: Any) -> Any:
    """The options that say which database, and what goes where in it."""
    options = [
        click.option("--database", required=True, envvar="WRITEBEHIND_DATABASE",
                     help="mongodb://… or postgresql://…, with the database's name."),
        click.option("--route", "routes", multiple=True, required=True,
                     metavar="PREFIX=NAME", envvar="WRITEBEHIND_ROUTE",
                     help="Keys with this prefix go into this collection or table. May be repeated."),
    ]  # fmt: skip
    return functools.reduce(lambda made, option: option(made), reversed(options), verb)


def reported(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Errors that say what to do, with a status that tells who has to: 75 for later, 78 for a person."""

    @functools.wraps(verb)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return verb(*args, **options)
        except WriteBehindError as error:
            raise Failed(error) from error

    return run


@click.group("dead-letters")
def dead_letters() -> None:
    """What the database refused for good."""


@dead_letters.command("list")
@log_options
@reported
def list_(servers: str, topic: str) -> None:
    """All that wait for somebody, oldest first."""
    table = Table("id", "key", "attempts", "error")
    for one in _letters(servers, topic).waiting():
        letter = one.letter
        table.add_row(one.name, letter.entry.key, str(letter.attempts), letter.error[:120])
    _out.print(table)


@dead_letters.command()
@click.argument("letter")
@log_options
@reported
def show(servers: str, topic: str, letter: str) -> None:
    """One of them, whole: LETTER is its id, as 0/17."""
    found = next(_chosen(_letters(servers, topic), (letter,), False))
    entry = found.letter.entry
    _out.print_json(data={"id": found.name, "key": entry.key, "error": found.letter.error,
                          "attempts": found.letter.attempts, "version": entry.version,
                          "document": entry.text})  # fmt: skip


@dead_letters.command()
@click.argument("letters", nargs=-1, metavar="LETTER...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--though-gone", is_flag=True, help="Also those that may have been deleted since.")
@log_options
@database_options
@reported
def replay(servers: str, topic: str, database: str, routes: tuple[str, ...],
           letters: tuple[str, ...], everything: bool, though_gone: bool) -> None:  # fmt: skip
    """Write them into the database, each with its own version: a newer write of the key stays.

    A delete is remembered for a day. So a letter that is older, and of whose key the database knows
    nothing, is left. Exit code 1 if one is left or refused again; it stays a dead letter.
    """
    found, stay = _letters(servers, topic), False
    with closing(open_sink(database, parse_routes(routes))) as sink:
        sink.open()
        for letter in _chosen(found, letters, everything):
            key = letter.letter.entry.key
            try:
                problem = found.replay(letter, sink, though_gone)
            except Forgotten as error:
                stay = True
                _out.print(f"left: {error}; --though-gone writes it")
                continue
            stay = stay or bool(problem)
            _out.print(f"refused again: {key}: {problem}" if problem else f"written: {key}")
    if stay:
        raise SystemExit(1)


@dead_letters.command()
@click.argument("letters", nargs=-1, metavar="LETTER...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@log_options
@click.confirmation_option(prompt="They are not listed any more. Drop them?")
@reported
def drop(servers: str, topic: str, letters: tuple[str, ...], everything: bool) -> None:
    """Forget them."""
    found = _letters(servers, topic)
    for letter in _chosen(found, letters, everything):
        found.settle(letter, "dropped")
        _out.print(f"dropped: {letter.letter.entry.key}")


def _letters(servers: str, topic: str) -> DeadLetters:
    return DeadLetters(servers, Topic(topic), _ANSWERS_WITHIN)


def _chosen(found: DeadLetters, names: tuple[str, ...], everything: bool) -> Iterator[Letter]:
    if everything == bool(names):
        raise click.UsageError("name dead letters, or say --all; `dead-letters list` shows them")
    left = set(names)
    for letter in found.waiting():
        if everything or letter.name in left:
            left.discard(letter.name)
            yield letter
    if left:
        raise click.ClickException(f"no such dead letter: {', '.join(sorted(left))}")
