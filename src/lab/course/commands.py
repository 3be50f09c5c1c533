"""The commands of `lab` that go along with a learner, or help an instructor."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


@click.command()
@click.option("--reset", is_flag=True, help="Forget everything: predictions, exercises, questions.")
@click.option("--yes", is_flag=True, help="With --reset: do not ask.")
def progress(reset: bool, yes: bool) -> None:
    """Show a bar for each notebook: exercises and questions solved."""
    from lab.course import ledger
    from lab.course import progress as counted

    if reset:
        if not yes:
            click.confirm("Forget all predictions and solved exercises?", abort=True)
        click.echo("Forgotten." if ledger.forget() else "There was nothing to forget.")
        return
    table = Table(box=None, show_header=False, padding=(0, 1))
    for row in counted.rows():
        bar = Text(row.bar, style="green" if row.solved == row.of else "")
        table.add_row(row.number, bar, f"{row.solved} of {row.of}", row.title)
    Console().print(table)


@click.command(short_help="Bring a notebook back as it was.")
@click.argument("number")
def restore(number: str) -> None:
    """Bring notebook NUMBER (05, say) back as it was; your copy is kept beside it."""
    from lab.course.notebooks import number_of
    from lab.course.restoring import restore as bring_back

    number = number_of(number)
    kept = bring_back(number)
    if kept is None:
        click.echo(f"Notebook {number} is as the course has it.")
    else:
        click.echo(f"Notebook {number} is as it was. Yours is kept: {kept}")
        click.echo("If it is open in JupyterLab: File, Reload Notebook from Disk.")


@click.command(short_help="Bring the stack to where a notebook begins.")
@click.argument("number")
@click.option("--yes", is_flag=True, help="Do not ask.")
def checkpoint(number: str, yes: bool) -> None:
    """Bring the stack to the state in which notebook NUMBER begins. Empties both stores first."""
    from lab.course import restoring
    from lab.course.notebooks import notebook, number_of
    from lab.stack import lifecycle

    number = number_of(number)
    notebook(number)
    lifecycle.up()
    if not yes:
        click.echo(lifecycle.what_reset_empties())
        click.confirm("Go on?", abort=True)
    states = restoring.checkpoint(number)
    click.echo(
        f"The stack is as at the start of notebook {number}: {', '.join(states) or 'empty'}."
    )


@click.command(short_help="Time the notebooks on this machine.")
@click.argument("numbers", nargs=-1)
@click.option("--shuffle", type=int, metavar="SEED", help="In another order, the same for a SEED.")
def rehearse(numbers: tuple[str, ...], shuffle: int | None) -> None:
    """Run the notebooks on this machine, time them, and say what is too slow for a class.

    All of them, or NUMBERS only (`lab rehearse 01 09`), one after the other on a stack of their own.
    Exits with 1 when one fails or is too slow. Ctrl-C stops and cleans up.
    """
    from lab.course import rehearsing
    from lab.course.notebooks import all_notebooks, notebook, number_of

    numbers = tuple(map(number_of, numbers))
    for number in numbers:
        notebook(number)
    if shuffle is not None:
        numbers = rehearsing.shuffled(numbers or tuple(all_notebooks()), shuffle)
        click.echo(f"In this order: {' '.join(numbers)}", err=True)
    columns = (TextColumn("Rehearsing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=len(numbers) or len(all_notebooks()))

            def done(timing: rehearsing.Timing) -> None:
                bar.advance(task)
                line = f"{timing.number:4} {timing.seconds:6.1f} s  {timing.verdict}"
                bar.console.print(Text(line))

            found = rehearsing.rehearse(numbers, done)
    except KeyboardInterrupt:
        click.echo("Stopped; the rehearsal's stack is gone.", err=True)
        sys.exit(130)
    bad = [timing.number for timing in found if timing.verdict != "ok"]
    total = sum(timing.seconds for timing in found)
    click.echo(f"{len(found)} notebooks in {total:.0f} s; {len(found) - len(bad)} are ready here.")
    if bad:
        click.echo(f"Not ready: {', '.join(bad)}")
        sys.exit(1)


COMMANDS = (progress, restore, checkpoint, rehearse)
