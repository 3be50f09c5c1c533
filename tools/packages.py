#!/usr/bin/env python3
"""Installs the course's packages in the versions, and with the hashes, of uv.lock.

    python tools/packages.py             into the environment of this Python: conda, Binder
    python tools/packages.py --venv      into .venv, which it makes: `make setup`
    python tools/packages.py --add kafka what an extra of pyproject.toml wants into .venv: `make kafka`

The one way in which anything installs them. They come from the package index that this machine's pip
or uv would ask (PIP_INDEX_URL, UV_DEFAULT_INDEX, pip.conf, uv.toml), or from an offline kit in
.cache/wheels; no host is named here. Nothing else that tools are told by their settings has a say.
Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lab.environment import isolated  # noqa: E402  (it imports the standard library only)

CACHE = ROOT / ".cache"
WHEELS = CACHE / "wheels"
VENV = ROOT / ".venv"
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_STOP = "from lab.stack.embedded import running as embedded; print(*embedded.down(), sep=', ')"


class SetUpError(RuntimeError):
    """A step failed; the message says which, and what to do."""


def main() -> None:
    """Install everything; exit with 1 and a message when something cannot be had."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--venv", action="store_true", help="make .venv and install into it")
    options.add_argument("--no-dev", action="store_true", help="leave out what only tests need")
    options.add_argument("--add", metavar="EXTRA", help="add an extra to the .venv that is there")
    given = options.parse_args()
    try:
        if given.add:
            add(given.add)
        else:
            install(given.venv, given.no_dev)
    except SetUpError as problem:
        sys.exit(f"\nset-up: {problem}")
    except KeyboardInterrupt:
        sys.exit("\nset-up: interrupted; the same command goes on from here.")


def install(into_venv: bool, no_dev: bool) -> None:
    """Make the environment hold the packages, and fetch what recipes ask for. Raises SetUpError."""
    CACHE.mkdir(exist_ok=True)
    uv = have_uv()
    locked = export(uv, no_dev)
    python = Path(sys.executable)
    if into_venv:
        stop_the_stack()
        python = make_venv(uv)
    print(f"    {count(locked)} packages", flush=True)
    how, what = (["sync"], []) if into_venv else (["install"], ["--requirements"])
    pip = [str(uv), "--quiet", "pip"]
    run([*pip, *how, "--python", str(python), *required_hashes(), *what, str(locked)])
    run([*pip, "install", "--python", str(python), "--no-deps", "--editable", "."])
    if into_venv:
        write_relative_paths()
    fetch(python)


def add(extra: str) -> None:
    """Add to .venv what an extra wants. Raises SetUpError."""
    uv = have_uv()
    locked = export(uv, no_dev=True, extra=extra)
    words = [str(uv), "--quiet", "pip", "install", "--python", str(VENV / _SCRIPTS / "python")]
    run([*words, *required_hashes(), "--requirements", str(locked)])


def required_hashes() -> list[str]:
    """Return the option that has hashes checked; the wheels of a kit have others than uv.lock."""
    return [] if WHEELS.is_dir() else ["--require-hashes"]


def have_uv() -> Path:
    """Return the uv that uv.lock names, from a small environment with nothing else in it."""
    block = re.search(
        r'^name = "uv"$.*?(?=^\[\[)', (ROOT / "uv.lock").read_text("utf-8"), re.M | re.S
    )
    assert block, "uv.lock names uv"
    version = re.search(r'^version = "(.*)"$', block[0], re.M)
    assert version
    folder = CACHE / f"uv-{version[1]}"
    uv = folder / _SCRIPTS / "uv"
    if runs(uv):
        return uv
    new = folder.with_name(folder.name + ".new")  # an interrupted set-up leaves no half of it
    shutil.rmtree(new, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(new)])
    asked = CACHE / "uv.txt"
    hashes = sorted(set(re.findall(r'hash = "(sha256:\w+)"', block[0])))
    words = [f"uv=={version[1]}", *(f"--hash={one}" for one in hashes)]
    asked.write_text(" ".join(words) + "\n", encoding="utf-8")
    pip = [str(new / _SCRIPTS / "python"), "-m", "pip", "--quiet", "install"]
    run([*pip, "--require-hashes", "--requirement", str(asked)])
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return uv


def export(uv: Path, no_dev: bool, extra: str = "") -> Path:
    """Write the packages of uv.lock as requirements: names, versions, hashes, and no host.

    The wheels of a kit have digests of their own, which `kit.json` lists: some were built for it.
    """
    locked = CACHE / "locked.txt"
    words = ["export", "--frozen", "--no-emit-project", "--no-annotate", "--no-header"]
    words += ["--no-dev"] if no_dev else ["--all-groups"]
    words += ["--extra", extra] if extra else []
    words += ["--no-hashes"] if WHEELS.is_dir() else []
    run([str(uv), "--quiet", *words, "--output-file", str(locked)])
    return locked


def count(locked: Path) -> int:
    """Return how many packages a file of requirements names."""
    return len(re.findall(r"^\w", locked.read_text("utf-8"), re.M))


def stop_the_stack() -> None:
    """Stop a stack that runs from .venv, in order, before its packages change under it."""
    python = VENV / _SCRIPTS / "python"
    if not (python.exists() and (ROOT / ".lab" / "stack.json").exists()):
        return
    env = {**isolated(os.environ, CACHE), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [str(python), "-c", _STOP], env=env, capture_output=True, encoding="utf-8", errors="replace"
    )
    if stopped := done.stdout.strip():
        print(
            f"    The packages change, so the stack was stopped; its data stay. ({stopped})",
            flush=True,
        )


def make_venv(uv: Path) -> Path:
    """Return the Python of .venv, which is made where there is none of this version that runs."""
    python = VENV / _SCRIPTS / "python"
    asks = "import sys; print(sys.version, sys.prefix)"
    if said(python, asks) != f"{sys.version} {VENV}":
        run([str(uv), "--quiet", "venv", "--clear", "--python", sys.executable, str(VENV)])
    return python


def write_relative_paths() -> None:
    """Let .venv find src/ by a relative path: Python reads these files in the locale's encoding.

    A folder named "Übung" would keep Python from starting where the locale is ASCII or EUC-JP.
    """
    for file in {f.resolve() for f in VENV.glob("[Ll]ib*/**/*write_behind_notebooks*.pth")}:
        lines = file.read_text("utf-8").splitlines()
        relative = [Path(os.path.relpath(line, file.parent)).as_posix() for line in lines]
        file.write_text("\n".join(relative) + "\n", encoding="utf-8")


def fetch(python: Path) -> None:
    """Fetch what recipes and gears-cli ask for, so that nothing is fetched later."""
    if subprocess.run(
        [str(python), "-m", "lab.checkup.fetching"], env=isolated(os.environ, CACHE)
    ).returncode:
        print("    The rest is set up. The same command tries this again.", file=sys.stderr)
        return
    (CACHE / "fetched").touch()


def run(words: Sequence[str]) -> None:
    """Run a command, with a sign of life. Raises SetUpError with what it said when it fails."""
    with Ticking():
        done = subprocess.run(
            list(words),
            cwd=ROOT,
            env=isolated(os.environ, CACHE),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    if done.returncode:
        program = Path(words[0]).name
        raise SetUpError(
            f"{program} failed:\n{done.stdout.strip()[-3000:]}\n"
            "Behind a company's package mirror set PIP_INDEX_URL or UV_DEFAULT_INDEX to its address. "
            "Without a network use an offline kit (docs/offline-kit.md)."
        )


class Ticking:
    """Shows the seconds that go by, in a terminal only."""

    def __enter__(self) -> None:
        self._done = threading.Event()
        if sys.stdout.isatty():
            threading.Thread(target=self._tick, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if sys.stdout.isatty():
            print("\r        \r", end="", flush=True)

    def _tick(self) -> None:
        for seconds in itertools.count(1):
            if self._done.wait(1):
                return
            print(f"\r    {seconds} s", end="", flush=True)


def runs(program: Path) -> bool:
    """Tell whether a program is here and starts."""
    try:
        return not subprocess.run([str(program), "--version"], capture_output=True).returncode
    except OSError:
        return False


def said(python: Path, code: str) -> str | None:
    """Return what a line of Python prints, or None where that Python does not run."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", code], capture_output=True, encoding="utf-8", errors="replace"
        )
    except OSError:
        return None
    return done.stdout.strip()


if __name__ == "__main__":
    main()
