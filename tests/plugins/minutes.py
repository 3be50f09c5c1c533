"""A pytest plugin: how long each notebook took, at the end of the run's report."""

from __future__ import annotations

import pytest

from docs.book import seconds as column

KEY = "seconds of a notebook"
"""The property that a test records: the notebook's name, then its seconds."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every run of every notebook, in the order of the course; keep them for the README."""
    rows = [
        (name, report.nodeid.rpartition("::")[2].partition("[")[0], seconds)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for key, (name, seconds) in report.user_properties
        if key == KEY
    ]
    if not rows:
        return
    terminalreporter.section("seconds of each notebook")
    lines = [f"{seconds:6.1f}  {name}  ({test})" for name, test, seconds in sorted(rows)]
    for line in lines:
        terminalreporter.write_line(line)
    log = "\n".join(lines)
    if ran := column.measured(log):
        column.LAST_RUN.write_text(log, encoding="utf-8")
        for line in column.far_off(column.README.read_text(encoding="utf-8"), ran):
            terminalreporter.write_line(f"{line} `python -m docs.book.seconds` writes it.")
