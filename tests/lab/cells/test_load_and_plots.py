"""The load generator keeps its schedule; the plots say what they show."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import lab
from lab.cells.load import LoadResult, schedule


def test_a_schedule_follows_its_phases_and_its_seed() -> None:
    due = schedule([(2, 10), (1, 100), (2, 10)], seed=7)
    assert list(lab.per_second(due)[2:3]) == [100]
    assert len(due) == 140
    assert (np.diff(due) >= 0).all()
    assert (due == schedule([(2, 10), (1, 100), (2, 10)], seed=7)).all()
    assert (due != schedule([(2, 10), (1, 100), (2, 10)], seed=8)).any()


def test_a_stalled_store_is_charged_for_everyone_who_waited() -> None:
    """All writes are due within 0.1 s, and none is let through before the last is due."""
    arrived = threading.Semaphore(0)
    gate = threading.Event()

    def write(number: int) -> None:
        arrived.release()
        assert gate.wait(30)

    def open_gate() -> None:
        for _ in range(2):  # as many as there are workers: the others wait in the queue
            arrived.acquire()
        gate.set()

    opener = threading.Thread(target=open_gate)
    opener.start()
    result = lab.load(write, rate=500, seconds=0.1, workers=2)
    opener.join()
    assert len(result.latency) == 50
    assert not result.errors
    assert (result.latency >= 0).all()
    assert result.p99 >= result.p50


def test_a_write_that_raises_is_recorded_and_the_rest_goes_on() -> None:
    def write(number: int) -> None:
        if number % 10 == 0:
            raise ValueError(number)

    result = lab.load(write, rate=[(0.05, 1000)])
    assert sorted(result.errors) == [0, 10, 20, 30, 40]
    assert len(result.latency) == 45
    assert "50 writes due, 45 acknowledged, 5 failed" in repr(result)


def test_a_rate_without_its_seconds_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds"):
        lab.load(lambda number: None, rate=10)
    with pytest.raises(ValueError, match="their own"):
        lab.load(lambda number: None, rate=[(1, 1)], seconds=1)


def test_counts_per_second() -> None:
    assert list(lab.per_second([0.0, 0.9, 2.5])) == [2, 0, 1]
    assert list(lab.per_second([])) == []
    assert list(lab.per_second([0.1, 0.4, 1.2], 0.5)) == [4, 0, 2]


def result(latencies: list[float]) -> LoadResult:
    due = np.arange(len(latencies), dtype=float)
    return LoadResult(due, due + np.asarray(latencies), {}, began=0.0)


def test_percentiles() -> None:
    seen = result([0.001] * 98 + [1.0, 2.0])
    assert seen.p50 == pytest.approx(0.001)
    assert seen.p99 > 1.0
    assert list(seen.arrivals_per_second()[:3]) == [1, 1, 1]
    assert seen.acknowledged_per_second().sum() == 100


def test_plots_name_their_numbers() -> None:
    slow = lab.plot_latency({"MongoDB": result([0.01, 0.02]), "nothing": result([])})
    labels = [text.get_text() for text in slow.legends[0].get_texts()]
    assert labels == ["MongoDB (p50 15.0, p99 19.9 ms)"]
    waits = lab.plot_latency_over_time({"MongoDB": result([0.5, 2.0])})
    (dots,) = waits.axes[0].get_lines()
    assert list(dots.get_ydata()) == pytest.approx([500, 2000])
    peaks = lab.plot_peaks({"arrivals": [1, 40, 2], "database writes": [10, 12, 11]})
    labels = [text.get_text() for text in peaks.legends[0].get_texts()]
    assert labels == ["arrivals (peak 40/s)", "database writes (peak 12/s)"]
    (line, *_) = peaks.axes[0].get_lines()
    assert list(line.get_xdata()) == [0, 1, 2, 3]  # the last second is drawn, too
    assert lab.plot_lag([0, 1], [5, 0]).axes[0].get_ylabel() == "entries"
    marked = lab.plot_lag([0, 1], [5, 0], marks={"MongoDB starts": 0.5}).axes[0]
    assert [text.get_text().strip() for text in marked.texts] == ["MongoDB starts"]
    top = marked.get_ylim()[1]
    assert 5 / top < marked.texts[0].get_position()[1] - 0.07, "the name lies on the curve"
    shares = {"1 m": {"masters": 1.0, "workers": 2.0}, "3 m": {"masters": 2.0, "workers": 2.0}}
    assert len(lab.plot_bars(shares, "cores", "Who is busy").legends) == 1
    alone = {"1 m": {"stored": 1.0}}  # its title says what it is
    assert not lab.plot_bars(alone, "writes a second", "What arrives").legends


def test_a_shown_plot_has_its_text_and_no_background(shell: InteractiveShell) -> None:
    figure = lab.plot_lag([0, 1], [5, 0])
    with capture_output() as shown:
        lab.show(figure, alt='Falls from "5" to 0')
    html = shown.outputs[0].data["text/html"]
    assert 'alt="Falls from &quot;5&quot; to 0"' in html
    assert "min-width:480px" in html, "in a narrow window its words are too small"
    assert html.startswith('<div style="overflow-x:auto">'), "the page would scroll"
    assert figure.get_facecolor()[3] == 0
    with pytest.raises(ValueError, match="say what the plot shows"):
        lab.show(figure, alt=" ")
