"""Plots that read in a light and a dark theme, each with a text for those who do not see it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lab.cells.load import LoadResult

_GREY = "#808080"  # enough contrast on white and on the dark theme's background
COLOURS = ("#d1601c", "#2a80c2", "#3f9c57", "#a466bd", "#8f8a12")
"""Colours that stand apart on light and dark, and for colour-blind readers."""

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.markerscale": 4,  # dots of a cloud are too small to tell colours by
    "text.color": _GREY,
    "axes.labelcolor": _GREY,
    "axes.edgecolor": _GREY,
    "axes.titlecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "grid.color": _GREY,
    "grid.alpha": 0.3,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 11,
    "axes.prop_cycle": cycler(color=COLOURS),
}


_NARROWEST = 480
"""Pixels below which the words of a plot cannot be read."""
_SHORT = 28  # letters of a name, of which several stand side by side below a plot


@contextmanager
def style() -> Iterator[None]:
    """Draw in the course's style inside this block."""
    with mpl.rc_context(_STYLE):
        yield


def plot_latency(results: Mapping[str, LoadResult], title: str = "Latency of the writer") -> Figure:
    """Draw the share of writes within each latency, one curve for each named load."""
    figure, axes = _new(title, "milliseconds from scheduled arrival", "percent of writes")
    for name, result in results.items():
        sorted_ms = np.sort(result.latency) * 1000
        if sorted_ms.size:
            share = np.arange(1, sorted_ms.size + 1) / sorted_ms.size * 100
            label = f"{name} (p50 {result.p50 * 1000:.1f}, p99 {result.p99 * 1000:.1f} ms)"
            axes.step(sorted_ms, share, where="post", label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return _legend(figure, axes)


def plot_latency_over_time(
    results: Mapping[str, LoadResult], title: str = "Latency over time"
) -> Figure:
    """Draw each write as a dot: when it was due, and how long it waited for its answer."""
    figure, axes = _new(title, "seconds (scheduled arrival)", "milliseconds")
    for name, result in results.items():
        milliseconds = (result.acknowledged - result.scheduled) * 1000
        axes.plot(result.scheduled, milliseconds, ".", markersize=3, alpha=0.6, label=name)
    axes.set_ylim(bottom=0)
    return _legend(figure, axes)


def plot_peaks(
    series: Mapping[str, Sequence[float]],
    title: str = "Arrivals and database writes",
    step: float = 1.0,
) -> Figure:
    """Draw counts per second, one line for each name, each line's peak marked; a value every `step` seconds."""
    figure, axes = _new(title, "second", "per second")
    for name, counts in series.items():
        values = np.asarray(counts, dtype=float)
        if not values.size:
            continue
        peak = int(np.argmax(values))
        label = f"{name} (peak {values[peak]:.0f}/s)"
        lasting = np.append(values, values[-1])  # the last second is as wide as the others
        (line,) = axes.step(np.arange(lasting.size) * step, lasting, where="post", label=label)
        axes.plot(peak * step, values[peak], "o", color=line.get_color())
    axes.set_ylim(bottom=0)
    return _legend(figure, axes)


def plot_lag(
    seconds: Sequence[float],
    depth: Sequence[float],
    title: str = "Waiting in the stream",
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Draw how many entries waited in the stream over time; `marks` names moments, in seconds."""
    figure, axes = _new(title, "seconds", "entries")
    for name, second in (marks or {}).items():
        axes.axvline(second, color=_GREY, linestyle="--")
        place = axes.get_xaxis_transform()  # x in seconds, y as a share of the height
        axes.text(second, 0.97, f" {name}", color=_GREY, va="top", transform=place)
    axes.fill_between(seconds, depth, step="post", alpha=0.35)
    axes.step(seconds, depth, where="post", label="entries in the stream")
    if marks:
        axes.margins(y=0.2)  # room for their names, above the curve
    axes.set_ylim(bottom=0)
    return _legend(figure, axes)


def plot_bars(rows: Mapping[str, Mapping[str, float]], x: str, title: str) -> Figure:
    """Draw a bar for each row, made of its parts, the first row on top."""
    figure, axes = _new(title, x, "")
    names = list(rows)
    left = np.zeros(len(names))
    for part in next(iter(rows.values())):
        lengths = np.array([row[part] for row in rows.values()])
        axes.barh(names, lengths, left=left, label=part)
        left += lengths
    axes.invert_yaxis()
    if len(axes.containers) > 1:
        with style():
            figure.legend(loc="outside right upper", labelcolor=_GREY)
    return figure


def show(figure: Figure, alt: str) -> None:
    """Display a figure with its alternative text. Raises ValueError when that is empty."""
    if not alt.strip():
        raise ValueError("say what the plot shows: lab.show(fig, alt='…')")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, bbox_inches="tight", transparent=True)
    data = base64.b64encode(out.getvalue()).decode()
    text = html.escape(alt, quote=True)
    # Below some width its words are too small to read: then it scrolls, and not the page.
    style = f"max-width:100%;min-width:{_NARROWEST}px"
    picture = f'<img alt="{text}" style="{style}" src="data:image/png;base64,{data}">'
    display(HTML(f'<div style="overflow-x:auto">{picture}</div>'))


def _new(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """Make a figure that pyplot does not know of, so that it is shown once: by `show`."""
    with style():
        figure = Figure(figsize=(7.5, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> Figure:
    """Put the names below the axes, where no curve can lie under them."""
    labels = axes.get_legend_handles_labels()[1]
    columns = len(labels) if all(len(label) < _SHORT for label in labels) else 1
    with style():
        if labels:
            figure.legend(loc="outside lower center", labelcolor=_GREY, ncols=columns)
    return figure
