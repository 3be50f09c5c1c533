"""The verbs of somebody on call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from ..core.errors import Forgotten
from . import looking, reconcile
from .looking import Letter
from .places import Place, places

# Keys are data: ":new:" is no emoji, "[red]" no colour.
_READABLE = Theme({"json.key": "bold"})  # its blue cannot be read on a dark page
_out = Console(emoji=False, markup=False, highlight=False, theme=_READABLE)
_err = Console(emoji=False, markup=False, stderr=True)


@click.command()
@places(database=False)
def status(place: Place) -> None:
    """What waits, since when, who works, and what was given up."""
    table = Table(*["partition", "entries", "pending", "bytes", "oldest", "dead"], "lease")
    for one in looking.status(place.client):
        idle = "" if one.holder else (Text("nobody", "red" if one.entries else ""))
        dead = Text(f"{one.dead:,}", "red" if one.dead else "")
        figures = (f"{one.entries:,}", f"{one.pending:,}", f"{one.bytes:,}", f"{one.oldest:.1f} s")
        table.add_row(one.partition.tag, *figures, dead, one.holder or idle)
    _out.print(table)


@click.group("dead-letters")
def dead_letters() -> None:
    """What the database refused for good."""


@dead_letters.command("list")
@places(database=False)
def list_(place: Place) -> None:
    """All of them, oldest first."""
    table = Table("id", "key", "attempts", "error")
    for letter in looking.letters(place.client):
        table.add_row(_name(letter), letter.key, str(letter.attempts), letter.error[:120])
    _out.print(table)


@dead_letters.command()
@click.argument("letter")
@places(database=False)
def show(place: Place, letter: str) -> None:
    """One of them, whole: LETTER is its id, as p07/1764177903123-0."""
    found = next(_chosen(place, (letter,), False))
    _out.print_json(data={"id": _name(found), "key": found.key, "error": found.error,
                          "attempts": found.attempts, "entry": found.stream_id,
                          "document": found.document})  # fmt: skip


@dead_letters.command()
@click.argument("letters", nargs=-1, metavar="LETTER...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--though-gone", is_flag=True, help="Also those that may have been deleted since.")
@places(database=False)
def replay(place: Place, letters: tuple[str, ...], everything: bool, though_gone: bool) -> None:
    """Queue them again, each with its own version: a newer write of the key stays.

    A delete is remembered for a day. So a letter that is older, and whose document Redis has no more, is
    left, and the exit code is 1.
    """
    left = False
    for letter in _chosen(place, letters, everything):
        try:
            looking.replay(place.client, letter, though_gone)
        except Forgotten as error:
            left = True
            _err.print(f"left: {error}; --though-gone queues it")
        else:
            _out.print(f"queued again: {letter.key}")
    if left:
        raise SystemExit(1)


@dead_letters.command()
@click.argument("letters", nargs=-1, metavar="LETTER...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.confirmation_option(prompt="They cannot be brought back. Drop them?")
@places(database=False)
def drop(place: Place, letters: tuple[str, ...], everything: bool) -> None:
    """Forget them."""
    for letter in _chosen(place, letters, everything):
        looking.drop(place.client, letter)
        _out.print(f"dropped: {letter.key}")


@click.command()
@click.argument("key")
@places(database=True)
def why(place: Place, key: str) -> None:
    """Walk one key from Redis to the database, and say what is the matter."""
    found = looking.why(place.client, place.sink, key)
    table = Table(show_header=False)
    table.add_row("in Redis", _short(found.in_redis))
    table.add_row("partition", f"{found.partition.tag}, held by {found.holder or 'nobody'}")
    table.add_row(
        "waiting", f"{len(found.queued)} entries, {found.pending} of them with the worker"
    )
    table.add_row("dead letters", ", ".join(_name(letter) for letter in found.letters) or "none")
    stored = found.stored
    table.add_row("in the database", _short(stored.document) if stored else "never written")
    table.add_row("its version", looking.version_text(stored) if stored else "none")
    _out.print(table)
    _out.print(found.verdict)


@click.command("reconcile")
@click.option("--repair", is_flag=True, help="Queue a mending write for each difference.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FILE",
              help="Keep the place in this file, and go on from it.")  # fmt: skip
@places(database=True)
def reconcile_(place: Place, repair: bool, resume: Path | None) -> None:
    """Compare both stores; exit code 1 if they differ. Redis is right, and is never deleted from."""
    after = resume.read_text(encoding="utf-8") if resume and resume.exists() else ""
    count = seen = 0
    with _bar("comparing") as (bar, task):

        def progress(key: str) -> None:
            nonlocal seen
            seen += 1
            bar.update(task, advance=1, description=f"comparing {key[:60]}")
            if resume and seen % 1000 == 0:
                resume.write_text(key, encoding="utf-8")

        for one in reconcile.differences(place.client, place.sink, place.prefixes, after, progress):
            count += 1
            mended = repair and reconcile.repair(place.client, one)
            _out.print(f"{one.key}: {one.kind}{'; queued for repair' if mended else ''}")
    if resume:
        resume.unlink(missing_ok=True)
    _out.print(f"{seen:,} keys, {count:,} differences")
    if count and not repair:
        raise SystemExit(1)


@click.command()
@places(database=False, routes=True)
def backfill(place: Place) -> None:
    """Queue every document that Redis holds: for a Redis that is older than its capture."""
    with _bar("queueing") as (bar, task):
        for key in reconcile.backfill(place.client, place.prefixes):
            bar.update(task, advance=1, description=f"queueing {key[:60]}")
        _out.print(f"{int(bar.tasks[0].completed):,} documents queued")


class _bar:
    """A progress bar on stderr, so that what is found can be piped. Nowhere but in a terminal."""

    def __init__(self, what: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
        self._progress = Progress(
            *columns,
            TextColumn("{task.description}", markup=False),
            console=_err,
            disable=not _err.is_interactive,
        )
        self._task = self._progress.add_task(what, total=None)

    def __enter__(self) -> tuple[Progress, Any]:
        self._progress.start()
        return self._progress, self._task

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _chosen(place: Place, names: tuple[str, ...], everything: bool) -> Iterator[Letter]:
    if everything == bool(names):
        raise click.UsageError("name dead letters, or say --all; `dead-letters list` shows them")
    left = set(names)
    for letter in looking.letters(place.client):
        if everything or _name(letter) in left:
            left.discard(_name(letter))
            yield letter
    if left:
        raise click.ClickException(f"no such dead letter: {', '.join(sorted(left))}")


def _name(letter: Letter) -> str:
    return f"{letter.partition.tag}/{letter.letter_id}"


def _short(document: Any) -> str:
    text = "nothing" if document is None else json.dumps(document, ensure_ascii=False, default=str)
    return text if len(text) < 400 else f"{text[:400]}…"
