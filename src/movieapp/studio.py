"""What the app does: writes in the chosen way, follows each write, and lets things break on purpose."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from movieapp import models, storm
from movieapp.following.journeys import Journal
from movieapp.following.observer import Observer
from movieapp.models import Entity, Movie, fingerprint, pause_of
from movieapp.search import MOVIE_PREFIX, Finder, Wish
from movieapp.surroundings import Surroundings
from movieapp.troubles import STORES, Conflict, Trouble, trouble_of
from movieapp.writing.ways import WAYS
from movieapp.writing.writers import Mode, Writer

_LOG = logging.getLogger("movieapp")
_DRAIN_SECONDS = 10.0
_IN_STORM = 10  # popular movies that the viewers of a storm watch
_CHANGING = Trouble(
    "The app is just changing the way in which it writes.",
    "Try again in a moment: nothing is lost.",
)


class Studio:
    """One running app. `mode` is how it writes; None until the first way is ready."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.journal = Journal()
        self._reads = models.connect_redis(around.redis_direct_url, models.READ_SECONDS)
        self.finder = Finder(self._reads)
        self._none = Writer(around)
        self._writer: Writer | None = None
        self._turn = threading.Condition()
        self._writing = 0
        self._ended = threading.Event()
        self.changing_to: Mode | None = None
        self.trouble: Trouble | None = None
        self.mongo_changes: str = ""
        self.storm: storm.Storm | None = None
        self.observer = Observer(around, self.journal, lambda: self._writer or self._none)

    @property
    def mode(self) -> Mode | None:
        """How the app writes now."""
        return self._writer.mode if self._writer else None

    @property
    def writer(self) -> Writer | None:
        """What writes now."""
        return self._writer

    def start(self, mode: Mode) -> None:
        """Make the indexes, begin to watch, and prepare to write in the background."""
        with contextlib.suppress(*STORES):  # a page says so, and tries again
            self.finder.ensure_indexes()
        self.observer.start()
        self.change(mode)

    def stop(self) -> None:
        """End everything that runs beside the pages."""
        self._ended.set()
        with self._turn:
            self._turn.wait_for(lambda: self.changing_to is None, timeout=60)
        if self._writer:
            self._writer.abandon()
        self.observer.stop()
        self._reads.close()

    # How it writes

    def change(self, mode: Mode) -> None:
        """Change the way of writing, in the background. Raises Trouble when that cannot be begun."""
        with self._turn:
            if self.changing_to:
                raise _CHANGING
            if mode is self.mode:
                return
            self.changing_to, self.trouble = mode, None
        threading.Thread(target=self._change, args=(mode,), daemon=True).start()

    def use(self, mode: Mode) -> None:
        """Change the way of writing, and return once it is changed. Raises Trouble, which says why it is not."""
        self.change(mode)
        with self._turn:
            self._turn.wait_for(lambda: self.changing_to is None)
        if self.mode is not mode:
            raise self.trouble or _CHANGING

    def is_ready(self) -> bool:
        """Tell whether it can write now. Raises Trouble, which says why, when it has failed to begin."""
        with self._turn:
            mode, trouble = self.mode, None if self.changing_to else self.trouble
        if mode is None and trouble:
            raise trouble
        return mode is not None

    def _change(self, mode: Mode) -> None:
        before = self._writer
        try:
            with self._turn:
                self._turn.wait_for(lambda: self._writing == 0, timeout=_DRAIN_SECONDS)
            self._wait_until_drained()
            if before:
                before.leave()
            self._enter(mode, before)
        except Trouble as trouble:
            self.trouble = trouble
        except Exception as problem:
            _LOG.warning("cannot write with %s: %r", mode.value, problem)
            reason = str(problem).strip().splitlines()[-1:] or [type(problem).__name__]
            told = f"“{WAYS[mode].title}” cannot be used now: {reason[0][:200]}"
            self.trouble = Trouble(told, "Choose it again once that is mended, or another way.")
        finally:
            with self._turn:
                self.changing_to = None
                self._turn.notify_all()

    def _enter(self, mode: Mode, before: Writer | None) -> None:
        """Begin to write in a new way; when that fails, go on in the old one, and raise."""
        following = WAYS[mode](self.around)
        self._writer = None
        try:
            following.enter()
            self._writer = following
        except BaseException:
            following.abandon()
            if before:
                before.enter()
                self._writer = before
            raise

    def _wait_until_drained(self) -> None:
        """Entries that stayed in a stream would be written over newer documents later."""
        writer = self._writer
        if writer is None or not writer.streams:
            return
        deadline = time.monotonic() + _DRAIN_SECONDS
        while (
            left := sum(self._reads.xlen(name) for name in writer.streams)
        ) and not self._ended.wait(0.05):
            if time.monotonic() > deadline:
                raise Trouble(
                    f"{left} writes still wait in the stream, so the app goes on as before.",
                    "Turn MongoDB on, let the stream empty, and choose again.",
                )

    # Writes

    @contextlib.contextmanager
    def _turn_to_write(self) -> Iterator[Writer]:
        with self._turn:
            if self.changing_to or not self._writer:
                raise _CHANGING if self.changing_to else self.trouble or _CHANGING
            self._writing += 1
            writer = self._writer
        try:
            yield writer
        finally:
            with self._turn:
                self._writing -= 1
                self._turn.notify_all()

    def save_movie(self, viewer: str, movie: Movie, was: str) -> None:
        """Save a movie if it still is what the user saw. Raises Conflict and Trouble."""
        document = movie.document()
        with self._turn_to_write() as writer, self._only_if(movie.key(), was, document) as is_there:
            what = f"{'Changed' if was else 'Added'} {movie.title}"
            if not is_there:
                self._follow(
                    viewer, movie, what, document, lambda: writer.save(movie, is_new=not was)
                )

    def delete_movie(self, viewer: str, movie: Movie, was: str) -> None:
        """Delete a movie if it still is what the user saw. Raises Conflict and Trouble."""
        with self._turn_to_write() as writer, self._only_if(movie.key(), was, None) as is_gone:
            if not is_gone:
                self._follow(
                    viewer, movie, f"Deleted {movie.title}", None, lambda: writer.delete(movie)
                )

    def pause(self, viewer: str, movie_id: str, seconds: int, title: str, panel: str = "") -> None:
        """Keep where a viewer stopped. The last pause counts, so nothing is compared."""
        pause = pause_of(viewer, movie_id, seconds)
        with self._turn_to_write() as writer:
            self._follow(
                panel or viewer,
                pause,
                f"Paused {title}",
                pause.document(),
                lambda: writer.save(pause, is_new=False),
            )

    def _follow(
        self,
        viewer: str,
        entity: Entity,
        what: str,
        expected: dict[str, Any] | None,
        write: Callable[[], None],
    ) -> None:
        assert self._writer
        has_stream = bool(self._writer.streams)
        one = self.journal.begin(
            viewer, entity.key(), what, expected, time.monotonic(), has_stream=has_stream
        )
        try:
            write()
        except STORES as problem:
            trouble = trouble_of(problem)
            self.journal.fail(one, trouble.told)
            raise trouble from problem
        except Exception as problem:
            self.journal.fail(one, str(problem)[:200])
            raise
        self.journal.acknowledge(one, time.monotonic())

    @contextlib.contextmanager
    def _only_if(self, key: str, was: str, wanted: dict[str, Any] | None) -> Iterator[bool]:
        """Compare and set: hold the movie's lock while it is compared and written.

        Yields whether it is as wanted already: a save that is sent again does no harm.
        """
        try:
            lock = self._reads.lock(f"movieapp:lock:{key}", timeout=30, blocking_timeout=10)
            if not lock.acquire():
                raise Trouble("Somebody else is just saving this movie.", "Try again in a moment.")
        except STORES as problem:
            raise trouble_of(problem) from problem
        try:
            try:
                now = self.finder.movie(key.removeprefix(MOVIE_PREFIX))
            except STORES as problem:
                raise trouble_of(problem) from problem
            if now != wanted and fingerprint(now) != was:
                raise Conflict(now)
            # With write-through Redis may have what MongoDB has not: then it is sent again.
            yield now == wanted and self.mode is not Mode.THROUGH
        finally:
            with contextlib.suppress(*STORES):
                lock.release()

    # Breaking things on purpose

    def turn_worker(self, on: bool) -> None:
        """Kill the worker of this app, or start one. Raises Trouble where it has none."""
        with self._turn_to_write() as writer:
            if not writer.has_worker:
                raise Trouble("This way of writing has no worker of the app's own.", "")
            (writer.start_worker if on else writer.end_worker)()

    def begin_storm(self) -> None:
        """Let hundreds of viewers pause at once; one storm at a time. Raises Trouble."""
        with self._turn_to_write():
            pass
        try:
            movies = self.finder.find(Wish(), 0, _IN_STORM).movies
        except STORES as problem:
            raise trouble_of(problem) from problem
        if not movies:
            raise Trouble("There is no movie to pause.", "Add one first.")

        def pause(user: str, number: int) -> None:
            movie_id, document = movies[number % len(movies)]
            self.pause(user, movie_id, 60 + number * 7, str(document.get("title")), panel="storm")

        with self._turn:  # two tabs may press at once
            if self.storm and not self.storm.is_over:
                raise Trouble(
                    "A storm is blowing already.", "Wait until all viewers have their answer."
                )
            self.storm = storm.begin(pause, self._ended)

    def turn_mongo(self, on: bool) -> None:
        """Stop or start MongoDB, in the background. Raises Trouble where that cannot be done."""
        switch = self.around.switch_mongo
        if switch is None:
            raise Trouble(
                "This MongoDB was not started by the lab.", "Stop it where it was started."
            )
        with self._turn:
            if self.mongo_changes:
                raise Trouble(f"MongoDB is {self.mongo_changes}.", "Wait a moment.")
            self.mongo_changes = "starting" if on else "stopping"

        def run() -> None:
            try:
                switch(on)
            except Exception as problem:
                _LOG.warning("MongoDB: %r", problem)
                self.trouble = Trouble(f"MongoDB: {str(problem)[:200]}", "lab status says more.")
            finally:
                self.mongo_changes = ""

        threading.Thread(target=run, daemon=True).start()
