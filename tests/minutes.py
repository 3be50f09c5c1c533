"""A pytest plugin: how long each notebook took, at the end of the run's report."""

from __future__ import annotations

import pytest

KEY = "seconds of a notebook"
"""The property that a test records: the notebook's name, then its seconds."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every run of every notebook, in the order of the course."""
    rows = [
        (name, report.nodeid.rpartition("::")[2].partition("[")[0], seconds)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for key, (name, seconds) in report.user_properties
        if key == KEY
    ]
    if rows:
        terminalreporter.section("seconds of each notebook")
    for name, test, seconds in sorted(rows):
        terminalreporter.write_line(f"{seconds:6.1f}  {name}  ({test})")
