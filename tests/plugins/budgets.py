"""A pytest plugin: the processor time that each notebook and each folder of tests may take.

A run becomes slower by a little at a time. The clock would count what other programs do, so
processor time is counted: of the tests and of every server that they start (but for containers,
which are Docker's children). `budgets.toml` says what each took when it was measured, and how many
times that a run may take before it fails.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.plugins.processortime import PROC, Meter, piece_of_work

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LOOK = 1.0  # seconds between two looks at the processes
_LONG = ("long", "containers", "soak")
_KEY, _EACH = "processor time", "processor time of each test"


class Ledger:
    """Charges processor time to what runs at the moment, in the process that runs the tests."""

    def __init__(self, each: bool) -> None:
        self.charged: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        """Of each test, where that is asked for: a look at all processes takes a moment."""
        self._meter, self._is_each = Meter(), each
        self._account, self._test, self._told = "", "", 0.0
        self._lock = threading.Lock()
        self._end = threading.Event()
        threading.Thread(target=self._look, name="budgets", daemon=True).start()

    def _look(self) -> None:
        while not self._end.wait(_LOOK):
            self._charge()

    def _charge(self, turn_to: tuple[str, str] | None = None) -> None:
        with self._lock:
            seconds = self._meter.seconds()
            self.charged[self._account] += seconds - self._told  # type: ignore[assignment]
            if self._is_each:
                self.tests[self._test] += seconds - self._told  # type: ignore[assignment]
            self._told = seconds
            if turn_to is not None:
                self._account, self._test = turn_to

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Turn to the account of a test that begins; most follow one of the same."""
        if (account := account_of(item)) != self._account or self._is_each:
            self._charge((account, item.nodeid))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Charge the last test; a worker of pytest-xdist hands its sums to the controller."""
        self._end.set()
        self._charge()
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_KEY] = dict(self.charged)
            session.config.workeroutput[_EACH] = dict(self.tests)


def account_of(item: pytest.Item) -> str:
    """Return `quick` or `long`, and a notebook or the folder of a test, below the root."""
    form = "long" if any(item.get_closest_marker(mark) for mark in _LONG) else "quick"
    callspec = getattr(item, "callspec", None)
    for given in callspec.params.values() if callspec else ():
        if isinstance(given, Path) and given.suffix == ".ipynb":
            return f"{form} notebooks/{given.name}"
    return f"{form} {item.path.parent.relative_to(item.config.rootpath).as_posix()}"


class Budgets:
    """Compares what was charged with the table, in the process that reports."""

    def __init__(self, table: Path, ledger: Ledger | None, shown: int) -> None:
        read = tomllib.loads(table.read_text(encoding="utf-8"))
        self._times, self._piece = read.pop("times"), read.pop("piece")
        self._budgets = {
            f"{form} {name}": seconds
            for form, rows in read.items()
            for name, seconds in rows.items()
        }
        self._ledger = ledger
        self._spent: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()
        self._shown = shown
        # How much slower this machine is than the one that the table was measured on.
        self._slower = piece_of_work() / self._piece

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Add up what a worker was charged."""
        told = getattr(node, "workeroutput", {})
        self._add(told.get(_KEY, {}))
        self._tests.update(told.get(_EACH, {}))

    def _add(self, charged: dict[str, float]) -> None:
        for account, seconds in charged.items():
            if account:
                self._spent[self._row(account)] += seconds  # type: ignore[assignment]

    def _row(self, account: str) -> str:
        """Return the longest name in the table that an account lies below, else its own."""
        above = [r for r in self._budgets if account == r or account.startswith(f"{r}/")]
        return max(above, key=len, default=account)

    def _limit(self, row: str) -> float:
        return self._times * self._slower * self._budgets[row]

    def problems(self) -> list[str]:
        """Say which row is over its budget and by how much, and which has none."""
        found = []
        for row, seconds in sorted(self._spent.items()):
            if row not in self._budgets:
                found.append(
                    f"{row} took {seconds:.1f} s and has no row in tests/plugins/budgets.toml."
                )
            elif seconds > self._limit(row):
                found.append(
                    f"{row} took {seconds:.1f} s of processor time, {seconds - self._limit(row):.1f} s"
                    f" more than its budget of {self._limit(row):.1f} s."
                )
        return found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that is over a budget."""
        if self._ledger:
            self._add(dict(self._ledger.charged))
            self._tests.update(self._ledger.tests)
        if self.problems() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what each row took, and of which budget."""
        if not self._spent:
            return
        terminalreporter.section("seconds of processor time, and the budget")
        for row, seconds in sorted(self._spent.items()):
            limit = f"{self._limit(row):6.0f}" if row in self._budgets else "  none"
            terminalreporter.write_line(f"{seconds:8.1f} {limit}  {row}")
        for problem in self.problems():
            terminalreporter.write_line(problem, red=True, bold=True)
        if costly := self._tests.most_common(self._shown):
            terminalreporter.section("tests that took the most processor time, in seconds")
        for test, seconds in costly:
            terminalreporter.write_line(f"{seconds:8.1f}  {test}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of this plugin have a table of their own."""
    table = Path(__file__).with_name("budgets.toml")
    parser.addoption(
        "--budgets", type=Path, default=table, help="a table like tests/plugins/budgets.toml"
    )
    parser.addoption(
        "--costly",
        type=int,
        default=0,
        metavar="N",
        help="show the N tests with most processor time",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count where tests run, compare where the run reports; with workers these are two places."""
    if not PROC.is_dir():  # macOS
        return
    is_worker = hasattr(config, "workerinput")
    shown = config.getoption("--costly")
    ledger = Ledger(shown > 0) if is_worker or not config.getoption("numprocesses", None) else None
    if ledger:
        config.pluginmanager.register(ledger, "budgets: ledger")
    if not is_worker:
        budgets = Budgets(config.getoption("--budgets"), ledger, shown)
        config.pluginmanager.register(budgets, "budgets")
