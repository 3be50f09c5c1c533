"""A pytest plugin: names the tests that failed and then passed, and what they said when they failed.

With `--reruns 1`, as `make test` runs it, a test that fails is tried once more. One that then passes
has found a race, in the test or in what it tests: somebody has to look at it, but not this run's
reader. Where more than a few are unsteady, something is wrong for certain, and the run fails.
"""

from __future__ import annotations

import pytest

MOST = 3
"""Unsteady tests that a run may have and still pass."""


class Unsteady:
    """Keeps the failed tries of one run that were tried again."""

    def __init__(self) -> None:
        self._tries: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the report of a failed try."""
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]  # pytest-rerunfailures
            self._tries.append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run in which too many tests were unsteady."""
        if len(self._tries) > MOST and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which, and what they said."""
        if not self._tries:
            return
        terminalreporter.section(
            f"failed at first, {len(self._tries)} (at most {MOST} may pass then)"
        )
        for report in self._tries:
            terminalreporter.write_line(f"{report.nodeid} ({report.when})", bold=True)
            terminalreporter.write_line(report.longreprtext[-4000:])


def pytest_configure(config: pytest.Config) -> None:
    """Begin to keep; workers of pytest-xdist report to the process that started them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Unsteady(), "unsteady")
