"""`lab app`: the stack, its movies, and the movie app in front of both."""

from __future__ import annotations

import html
import os
import re
import webbrowser

import click

import movieapp.app
from lab import paths
from lab.cells.prepare import RECIPE_REQUIREMENTS, prepare, recipes
from lab.course.snapshot import count_movies
from lab.jupyterlab import has_display
from lab.names import COLLECTION, DATABASE, KEY_PREFIX
from lab.report import progress
from lab.stack import lifecycle
from lab.stack.gears import registrations, run_script
from lab.stack.model import Stack
from lab.tools.oneapp import OneApp
from movieapp.studio import Studio
from movieapp.surroundings import Surroundings
from movieapp.web.guard import ANY
from movieapp.writing.writers import Mode

_FILES = {"write-behind": "movies_write_behind.py", "write-through": "movies_write_through.py"}
_OURS = re.compile(r'"(Movies|Pauses)Write(Behind|Through)\.')


def run(*, port: int, mode: str, hosts: tuple[str, ...], open_browser: bool) -> None:
    """Serve the app until it is interrupted. Raises LabError, and OSError for a port that is taken."""
    stack = lifecycle.up()
    only = OneApp(stack)
    ensure_movies(stack)

    def ready(url: str) -> None:
        only.is_at(url)
        click.echo(f"The movie app is at {url}   (Ctrl-C ends it; the stack goes on)")
        if open_browser and has_display():
            webbrowser.open(url)

    movieapp.app.serve(surroundings(stack, hosts), Mode(mode), port, ready)
    click.echo("The movie app has ended. The stack still runs; stop it with: lab down")


class AppInNotebook:
    """The running app; as the last value of a cell it is shown in a frame."""

    def __init__(self, running: movieapp.app.Running, only: OneApp, height: int) -> None:
        self._running, self._only, self._height = running, only, height

    @property
    def url(self) -> str:
        """Where a browser of the person at the notebook finds it."""
        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        return f"{prefix}proxy/{self._running.port}/" if prefix else self._running.url

    @property
    def local_url(self) -> str:
        """Where a program on this machine finds it, the notebook's own cells for one."""
        return self._running.url

    @property
    def studio(self) -> Studio:
        """The app's inside: `studio.journal`, `studio.writer`, `studio.finder`."""
        return self._running.studio

    def stop(self) -> None:
        """End the app. It also ends with the kernel."""
        self._running.stop()
        self._only.ended()

    def __repr__(self) -> str:
        return f"The movie app is at {self.url}"

    def _repr_html_(self) -> str:
        url = html.escape(self.url)
        frame = f'<iframe src="{url}" title="The movie app" width="100%" height="{self._height}"'
        return f'{frame} style="border:0"></iframe><p><a href="{url}" target="_blank">{url}</a></p>'


_shown: AppInNotebook | None = None


def app(mode: str = "write-behind-streams", *, height: int = 760, port: int = 0) -> AppInNotebook:
    """Run the movie app in this kernel, and return it once it answers.

    `mode` is how it writes at first; `height` is the frame's, in pixels. Where the notebook is served by a
    JupyterHub, the frame leads through jupyter-server-proxy. One that this kernel runs already ends first,
    so the cell may be run again. Raises LabError, also when a shell or another kernel runs one.
    """
    global _shown
    if _shown:
        _shown.stop()
    stack = lifecycle.current()
    # A hub's container has no browser of its own: whoever gets here was let in by the hub.
    hosts = (ANY,) if os.environ.get("JUPYTERHUB_SERVICE_PREFIX") else ()
    only = OneApp(stack)
    try:
        ensure_movies(stack)
        running = movieapp.app.Running(surroundings(stack, hosts), Mode(mode), port)
    except BaseException:
        only.ended()
        raise
    _shown = AppInNotebook(running, only, height)
    only.is_at(_shown.url)
    return _shown


def surroundings(stack: Stack, hosts: tuple[str, ...] = ()) -> Surroundings:
    """Return a stack as the app sees it."""

    def switch_mongo(on: bool) -> None:
        (lifecycle.start if on else lifecycle.stop)("mongo")

    # In a notebook it would stand between the cells, in red, with each outage that is asked for.
    log = paths.logs(paths.home()) / "movieapp-worker.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    said = tuple(filter(None, os.environ.get("LAB_APP_HOSTS", "").split(",")))
    return Surroundings(
        redis_url=stack.redis_url,
        redis_direct_url=stack.redis_direct_url,
        mongo_url=stack.mongo_url,
        register=lambda recipe: register(stack, recipe),
        switch_mongo=None if stack.kind == "external" else switch_mongo,
        hosts=(*hosts, *said),
        log=log,
    )


def ensure_movies(stack: Stack) -> None:
    """Load the movies into stores that have none; warm an empty Redis from MongoDB."""
    if count_movies(stack.redis):
        return
    collection = stack.db[COLLECTION]
    found = list(collection.find({"movieId": {"$type": "string"}}, {"_id": False}))
    if not found:
        prepare("movies")
        return
    with progress("Warming Redis from MongoDB"):
        pipeline = stack.redis_direct.pipeline(transaction=False)
        for document in found:
            pipeline.json().set(KEY_PREFIX + document["movieId"], "$", document)
        pipeline.execute()


def register(stack: Stack, recipe: str | None) -> None:
    """Make one recipe the only one of ours, for movies and for pauses; or none. Others stay."""
    wanted = "" if recipe is None else f"Write{recipe.removeprefix('write-').capitalize()}."
    for known in registrations(stack.redis):
        told = str(known.get("desc") or "")
        if _OURS.search(told) and not (wanted and wanted in told):
            stack.redis.execute_command("RG.UNREGISTER", known["id"], "ABORTPENDING")
    if recipe is None:
        return
    config = {"mongoUrl": stack.recipe_mongo_url, "mongoDatabase": DATABASE}
    script = (recipes() / _FILES[recipe]).read_text(encoding="utf-8")
    run_script(stack, script, RECIPE_REQUIREMENTS, config)
    run_script(stack, for_pauses(script), RECIPE_REQUIREMENTS, config)


def for_pauses(script: str) -> str:
    """Return the movies' recipe for the pauses: the same code, with other names."""
    names = {
        "'MoviesWrite": "'PausesWrite",
        "'MovieEntity:'": "'PauseEntity:'",
        "'movies'": "'pauses'",
        "'movieId'": "'pauseId'",
    }
    for movies, pauses in names.items():
        if movies not in script:
            raise ValueError(f"the recipe no longer says {movies}, so it cannot be made for pauses")
        script = script.replace(movies, pauses)
    return script.replace("'_movies-stream", "'_pauses-stream")
