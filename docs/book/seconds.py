"""How long each notebook runs: the README's column *runs in*, from what a run of the tests printed.

    python -m docs.book.seconds               # from the last `make test` or `make test-notebooks`
    python -m docs.book.seconds run.log       # from what such a run printed

The seconds depend on the machine and on what runs beside, so nothing fails when they differ. A run
of the tests says at its end which of the README's figures are far off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
LAST_RUN = REPOSITORY / ".cache/seconds-of-notebooks.log"

FAR = 2.0
"""How many times a figure may be off, in either direction, before a run mentions it."""
LEAST = 10.0
"""Seconds below which nobody minds a factor."""

_RAN = re.compile(r"^ *([\d.]+)  (\w+\.ipynb)  \(test_alone\w*\)$", re.MULTILINE)
_ROW = re.compile(
    r"^(\| \[.+\]\(notebooks/(\w+\.ipynb)\) \| .+ \| )(\d+) s( \| \d+ \|)$", re.MULTILINE
)


def measured(log: str) -> dict[str, float]:
    """Return the seconds of each notebook that ran alone, by its file's name; of several, the last."""
    return {name: float(seconds) for seconds, name in _RAN.findall(log)}


def told(readme: str) -> dict[str, int]:
    """Return the seconds that the README's table names, by the notebook's file name."""
    return {row[2]: int(row[3]) for row in _ROW.finditer(readme)}


def renewed(readme: str, ran: dict[str, float]) -> str:
    """Return the README with the seconds that were measured. Rows of other notebooks stay."""

    def row(found: re.Match[str]) -> str:
        seconds = ran.get(found[2], float(found[3]))
        return f"{found[1]}{seconds:.0f} s{found[4]}"

    return _ROW.sub(row, readme)


def far_off(readme: str, ran: dict[str, float]) -> Iterator[str]:
    """Yield a line for each notebook whose figure is more than `FAR` times off."""
    for name, seconds in told(readme).items():
        now = ran.get(name)
        if now and max(now, seconds) > LEAST and max(now / seconds, seconds / now) > FAR:
            yield f"The README says {seconds} s for {name}; here it took {now:.0f} s."


@click.command(help=__doc__)
@click.argument("log", type=click.Path(path_type=Path, exists=True), default=LAST_RUN)
def main(log: Path) -> None:
    """Write what a run measured into the README's table."""
    ran = measured(log.read_text(encoding="utf-8"))
    if not ran:
        raise click.ClickException(
            f"{log} names no notebook that ran alone: `make test` prints it."
        )
    README.write_text(renewed(README.read_text(encoding="utf-8"), ran), encoding="utf-8")
    click.echo(f"The README has the seconds of {len(ran)} notebooks.")


if __name__ == "__main__":
    main()
