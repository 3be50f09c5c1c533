"""Rounds that take turns: a machine that slows down slows down all that is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median

from rich.console import Console

console = Console()

Measure = Callable[[], float]
"""One round; operations per second."""


def take_turns(arms: dict[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure all arms in turn, after one round that does not count."""
    figures: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):
        for name, measure in arms.items():
            value = measure()
            if number:
                figures[name].append(value)
                console.print(f"  {name}: {value:,.0f}/s", highlight=False)
    return figures


def ratio(over: list[float], under: list[float]) -> float:
    """Median of the ratios round by round."""
    return median(a / b for a, b in zip(over, under, strict=True))


def times(over: Iterable[float], under: Iterable[float], digits: int) -> str:
    """Processor time of all rounds beside another's; a dash where the kernel, which counts in hundredths, saw none."""
    beside = sum(under)
    return f"{sum(over) / beside:.{digits}f}" if beside else "–"
