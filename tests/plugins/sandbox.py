"""A pytest plugin: whatever a test run starts or writes lies in one folder and ends with the run.

The folder holds the temporary files of all tests and their processes, their home directory and the
state of the stacks that they start. So a learner's running stack and a test run never meet. A run
that leaves a process behind fails, and says which.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.plugins import janitor

REPOSITORY = Path(__file__).resolve().parents[2]
_CACHE = REPOSITORY / ".cache"
_FIRST_PORT = 20000  # below those that systems give to outgoing connections
_GRACE = 3.0  # seconds in which a process that is ending may end


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables that send files into the run's folder, or into the repository's cache.

    What tells the machine how to reach its package index stays as the user has it, although the
    home directory moves.
    """
    home = Path.home()
    inside = {
        "HOME": "home",
        "TMPDIR": "",
        "PYTEST_DEBUG_TEMPROOT": "",
        "JUPYTER_CONFIG_DIR": "jupyter/config",
        "JUPYTER_DATA_DIR": "jupyter/data",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
        "IPYTHONDIR": "ipython",
        "XDG_CACHE_HOME": "home/.cache",
        "XDG_CONFIG_HOME": "home/.config",
        "XDG_DATA_HOME": "home/.local/share",
    }
    cached = {"MPLCONFIGDIR": "matplotlib", "UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip"}
    kept = {
        "UV_CONFIG_FILE": home / ".config/uv/uv.toml",
        "PIP_CONFIG_FILE": home / ".config/pip/pip.conf",
        "NETRC": home / ".netrc",
        "DOCKER_CONFIG": home / ".docker",
    }
    scripts = Path(sys.executable).parent
    return {
        janitor.MARK: str(folder),
        "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", "")]),
        **{name: str(folder / place) for name, place in inside.items()},
        **{name: str(_CACHE / place) for name, place in cached.items()},
        **{name: str(p) for name, p in kept.items() if p.exists() and name not in os.environ},
    }


def _forget_the_users_settings() -> None:
    """Drop what would lead tests, which empty databases, to a stack of the user's own.

    And what would have each of the programs that they start compile all that it imports.
    """
    for name in [name for name in os.environ if name.startswith("LAB_") and name != "LAB_CACHE"]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


class Sandbox:
    """The folder of one run and the janitor that waits for the run's end."""

    def __init__(self) -> None:
        # Short, because sockets lie inside; and resolved, because macOS links its /tmp.
        self.folder = Path(tempfile.mkdtemp(prefix="wb-")).resolve()
        self._janitor = subprocess.Popen(
            [sys.executable, janitor.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the tests, not the one who cleans up
        )
        (self.folder / "home").mkdir()

    def leftovers(self) -> list[str]:
        """Describe what still lives of the run after a moment's grace: processes, containers."""
        left = [p for p in janitor.processes(self.folder) if p.pid != self._janitor.pid]
        _, alive = psutil.wait_procs(left, timeout=_GRACE)
        found = []
        for process in alive:
            try:
                found.append(f"{process.pid}: {' '.join(process.cmdline())}")
            except psutil.Error:  # it ended just now
                continue
        kept = [
            f"{type(thing).__name__} {thing.name}" for thing in janitor.docker_things(self.folder)
        ]
        return found + kept

    def close(self) -> None:
        """Let the janitor clean up, and wait for it."""
        self._janitor.communicate()


_sandbox = pytest.StashKey[Sandbox]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin the run's folder; in a worker of pytest-xdist, join the one of the controller."""
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    if not hasattr(config, "workerinput"):
        config.stash[_sandbox] = sandbox = Sandbox()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A shell's background job ignores Ctrl-C, and so would all that tests start to end by it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _forget_the_users_settings()
        os.environ.update(_environment(sandbox.folder))
        tempfile.tempdir = None  # read TMPDIR again
    # Tests that start a stack make a folder for it. This is for the one that forgets: it must not
    # find the learner's. Nor must a test's stack take the ports that a learner's would take.
    os.environ["LAB_HOME"] = str(Path(os.environ[janitor.MARK], f"lab-{worker}"))
    for number, service in enumerate(("MINIGEARS", "REDIS", "MONGO", "REDISINSIGHT")):
        os.environ[f"LAB_PORT_{service}"] = str(_FIRST_PORT + os.getpid() % 1000 * 10 + number)


@pytest.fixture(scope="session", autouse=True)
def _own_place_for_inner_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep a run of pytest inside this one away from this one's folders.

    pytest closes the folder above its own to other users. PostgreSQL, which runs as one where we are root,
    would lose its data in the middle of a test.
    """
    own = tmp_path_factory.getbasetemp()
    inner = Path(os.environ[janitor.MARK], f"inner-{own.name}")
    inner.mkdir(exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(inner)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail a run that leaves processes behind. The wrapped hook ends the workers."""
    yield
    sandbox = session.config.stash.get(_sandbox, None)
    if sandbox and (left := sandbox.leftovers()):
        print("\nThe run left behind:", *left, sep="\n  ", file=sys.stderr)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what is left and delete the folder."""
    if sandbox := config.stash.get(_sandbox, None):
        sandbox.close()
