"""Runs of pytest inside this one, for the tests of what a run leaves behind and of what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.plugins.sandbox import REPOSITORY


@dataclass
class Run:
    """A run of pytest with a home and a temporary folder that nothing else uses."""

    process: subprocess.Popen[str]
    temporary: Path
    home: Path

    def folder(self) -> Path:
        """Return the folder that the run made for itself."""
        (folder,) = self.temporary.iterdir()
        return folder

    def left_nothing(self) -> bool:
        """Tell whether the places that everybody writes to are as they were: empty."""
        return not any(self.temporary.iterdir()) and not any(self.home.iterdir())

    def wait_for(self, word: str) -> None:
        """Wait until the run prints a line with `word`."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if word in line:
                return
        raise AssertionError("".join(said))


def bare_pytest(root: Path, *plugins: str) -> list[str]:
    """The command that runs pytest on files below `root` with these plugins; with `BARE`, no others."""
    named = [word for plugin in ("no:cacheprovider", *plugins) for word in ("-p", plugin)]
    return [sys.executable, "-m", "pytest", *named, f"--rootdir={root}"]


BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Variables of an inner run: the plugins that are installed here take ten times as long to load as
pytest itself."""

WORKERS = ("xdist.plugin", "pytest_rerunfailures")
"""The plugins that `make test` runs with."""


def hear_ctrl_c() -> None:
    """Undo what a shell does to what it runs in the background: that ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def inner_run(base: Path, code: str, **variables: str) -> Iterator[Run]:
    """Start pytest on one file that holds `code`, with folders below `base`; end it at the end."""
    places = {name: base / name for name in ("t", "h", "tests")}
    for place in places.values():
        place.mkdir(parents=True)
    (places["tests"] / "test_inner.py").write_text(code)
    homes = {"HOME": str(places["h"]), "TMPDIR": str(places["t"])}
    with subprocess.Popen(
        [*bare_pytest(places["tests"], "tests.plugins.sandbox"), "-s", places["tests"]],
        cwd=REPOSITORY,
        env={**os.environ, **BARE, **homes, **variables},
        preexec_fn=hear_ctrl_c,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Run(process, places["t"], places["h"])
        finally:
            process.kill()
