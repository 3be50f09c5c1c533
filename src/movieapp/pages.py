"""The routes: one page, and the fragments that htmx puts into it. All addresses are relative.

Whatever fails, what was typed stays: a form that cannot be saved comes back as it was, with what is
wrong and what helps; anything else that fails puts a message above the cards and leaves the page.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from movieapp import forms
from movieapp.facts import facts_of
from movieapp.forms import MovieForm
from movieapp.journeys import Stage
from movieapp.models import Movie, fingerprint
from movieapp.search import Wish, wish_of
from movieapp.studio import Studio
from movieapp.templating import render
from movieapp.troubles import STORES, Conflict, Trouble, trouble_of
from movieapp.writers import Mode, writers

COOKIE = "movieapp-viewer"
_VIEWER = re.compile(r"[a-z0-9]{1,24}")
_MOVIE_ID = re.compile(r"[^\s/]{1,100}")
_SHOWN = 8  # journeys in the panel
_WRITES_AT_ONCE = 24  # so that writes which hang leave threads for the pages


class Pages:
    """The handlers. Each runs in a thread, since both stores' clients wait."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._limiter: CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """Return what the app answers."""
        reads: dict[str, Callable[[Request], Response]] = {
            "/": self.page,
            "/movies": self.cards,
            "/movies/new": self.new_form,
            "/movies/{id}/edit": self.edit_form,
            "/movies/{id}/delete": self.delete_form,
            "/continue": self.continue_watching,
            "/panel": self.panel,
        }
        writes: dict[str, Callable[[Request, FormData], Response]] = {
            "/movies/{id}/save": self.save,
            "/movies/{id}/delete": self.delete,
            "/movies/{id}/pause": self.pause,
            "/mode": self.change_mode,
            "/storm": self.storm,
            "/mongo": self.turn_mongo,
            "/worker": self.turn_worker,
        }
        routes = [Route(path, self._reading(handler)) for path, handler in reads.items()]
        routes += [
            Route(path, self._writing(handler), methods=["POST"])
            for path, handler in writes.items()
        ]
        return routes

    # The page and its cards

    def page(self, request: Request) -> Response:
        """The whole page, with the first cards of what its address asks for."""
        viewer = _viewer(request) or secrets.token_hex(4)
        wish = wish_of(request.query_params)
        try:
            inside = {**self._cards(viewer, wish, 0), "continued": self._continued(viewer)}
            values = {name: self._studio.finder.values(name) for name in ("genres", "countries")}
        except STORES as problem:
            trouble = trouble_of(problem)
            return HTMLResponse(render("away.html", trouble=trouble), 503, {"retry-after": "3"})
        page = render(
            "page.html", viewer=viewer, wish=wish, values=values, **inside, **self._panel(viewer)
        )
        answer = HTMLResponse(page)
        # A notebook's IFrame may get no cookies: there the page itself says who the viewer is.
        answer.set_cookie(COOKIE, viewer, max_age=30 * 86400, httponly=True, samesite="lax")
        return answer

    def cards(self, request: Request) -> Response:
        """One page of cards: of a new search, or further ones at the end of the list."""
        wish = wish_of(request.query_params)
        offset = request.query_params.get("offset", "0")
        first = int(offset) if re.fullmatch(r"[0-9]{1,7}", offset) else 0
        inside = self._cards(_viewer(request) or "guest", wish, first)
        answer = HTMLResponse(render("cards.html", wish=wish, is_first=first == 0, **inside))
        if first == 0:
            asked = {k: v for k, v in request.query_params.items() if v.strip() and k != "offset"}
            answer.headers["HX-Replace-Url"] = f"?{urlencode(asked)}" if asked else "?"
        return answer

    def _cards(self, viewer: str, wish: Wish, offset: int) -> dict[str, Any]:
        found = self._studio.finder.find(wish, offset)
        ids = [movie_id for movie_id, _ in found.movies]
        more = ""
        if found.next_offset:
            asked = {
                "q": wish.text,
                "title": wish.title,
                "genre": wish.genre,
                "country": wish.country,
                "rating": wish.rating,
                "from": wish.first_year,
                "to": wish.last_year,
                "offset": found.next_offset,
            }
            more = urlencode({k: v for k, v in asked.items() if v not in ("", None)})
        return {
            "cards": [facts_of(movie_id, document) for movie_id, document in found.movies],
            "positions": self._studio.finder.positions(viewer, ids),
            "found": found,
            "more": more,
        }

    def continue_watching(self, request: Request) -> Response:
        """The strip of movies that the viewer has paused."""
        continued = self._continued(_viewer(request) or "guest")
        return HTMLResponse(render("continue.html", continued=continued))

    def _continued(self, viewer: str) -> list[tuple[Any, int]]:
        strip = []
        for movie_id, seconds in self._studio.finder.last_pauses(viewer, 8):
            document = self._studio.finder.movie(movie_id)
            if document is not None:
                strip.append((facts_of(movie_id, document), seconds))
        return strip

    # The dialogs

    def new_form(self, request: Request) -> Response:
        """The form of a movie that is not there yet. Its id is made now, so that saving twice is one movie."""
        return self._form(MovieForm(str(time.time_ns() // 1_000_000)))

    def edit_form(self, request: Request) -> Response:
        """The form of a movie."""
        document = self._movie(request)
        if document is None:
            raise Trouble("This movie has been deleted.", "Search again to see what is there now.")
        movie_id = request.path_params["id"]
        return self._form(forms.form_of(movie_id, document, fingerprint(document)))

    def delete_form(self, request: Request) -> Response:
        """Ask whether a movie is to be deleted."""
        document = self._movie(request)
        if document is None:
            raise Trouble(
                "This movie has been deleted already.", "Search again to see what is there now."
            )
        return self._ask_to_delete(request.path_params["id"], document)

    def _ask_to_delete(
        self, movie_id: str, document: Mapping[str, Any], told: str = ""
    ) -> Response:
        facts, was = facts_of(movie_id, document), fingerprint(dict(document))
        return HTMLResponse(
            render("delete.html", facts=facts, was=was, told=told), 409 if told else 200
        )

    def _movie(self, request: Request) -> dict[str, Any] | None:
        return self._studio.finder.movie(request.path_params["id"])

    def _form(self, form: MovieForm, status: int = 200, **told: Any) -> Response:
        page = render("editor.html", form=form, genres=forms.GENRES, longest=forms.LONGEST, **told)
        return HTMLResponse(page, status)

    # Writes

    def save(self, request: Request, typed: FormData) -> Response:
        """Save what was typed, or give it back with what is wrong."""
        texts = {name: value for name, value in typed.items() if isinstance(value, str)}
        genres = [value for value in typed.getlist("genres") if isinstance(value, str)]
        movie_id = request.path_params["id"]
        form = forms.read(movie_id, texts.get("was", ""), texts, genres)
        if not _MOVIE_ID.fullmatch(movie_id) or form.problems:
            return self._form(form, 422)
        viewer = _viewer(request) or "guest"
        try:
            before = self._studio.finder.movie(movie_id) or {}
            movie = Movie(**forms.document_of(form, before))
            self._studio.save_movie(viewer, movie, form.was)
        except Conflict as conflict:
            return self._conflict(form, conflict)
        except Trouble as trouble:
            return self._form(form, 503, trouble=trouble)
        except STORES as problem:
            return self._form(form, 503, trouble=trouble_of(problem))
        except ValidationError as problem:
            told = Trouble("This movie holds something that the form cannot keep:", str(problem))
            return self._form(form, 422, trouble=told)
        facts = facts_of(movie_id, movie.document())
        answer = HTMLResponse(render("card.html", facts=facts, seconds=None))
        answer.headers["HX-Retarget"] = "#grid" if form.is_new else f'[id="movie-{_css(movie_id)}"]'
        answer.headers["HX-Reswap"] = "afterbegin" if form.is_new else "outerHTML"
        return _events(
            answer, {"close-dialog": f"movie-{movie_id}", "wrote": f"Saved: {facts.title}"}
        )

    def _conflict(self, form: MovieForm, conflict: Conflict) -> Response:
        """Say what somebody else changed, keep what was typed, and let the next save replace theirs."""
        now = conflict.now
        theirs = forms.form_of(form.movie_id, now or {}, fingerprint(now))
        differs = (
            {}
            if now is None
            else {
                name: theirs.value(name)
                for name in forms.TEXTS
                if theirs.value(name) != form.value(name)
            }
        )
        again = MovieForm(form.movie_id, theirs.was, form.fields, form.genres)
        return self._form(again, 409, theirs=differs, is_deleted=now is None, is_conflict=True)

    def delete(self, request: Request, typed: FormData) -> Response:
        """Delete a movie, if it still is what the user saw."""
        movie_id, was = request.path_params["id"], str(typed.get("was", ""))
        document = self._studio.finder.movie(movie_id)
        title = facts_of(movie_id, document or {}).title
        if document is not None:
            movie = Movie.model_construct(movieId=movie_id, title=title)
            try:
                self._studio.delete_movie(_viewer(request) or "guest", movie, was)
            except Conflict as conflict:
                if conflict.now is not None:
                    told = "Somebody changed this movie after you opened this question. It is now:"
                    return self._ask_to_delete(movie_id, conflict.now, told)
        answer = HTMLResponse("")
        answer.headers["HX-Retarget"] = f'[id="movie-{_css(movie_id)}"]'
        answer.headers["HX-Reswap"] = "delete"
        return _events(answer, {"close-dialog": "", "wrote": f"Deleted: {title}"})

    def pause(self, request: Request, typed: FormData) -> Response:
        """Keep where the viewer stopped."""
        text = str(typed.get("seconds", ""))
        document = self._movie(request)
        if document is None:
            raise Trouble("This movie has been deleted.", "Search again to see what is there now.")
        facts = facts_of(request.path_params["id"], document)
        seconds = min(int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0, facts.seconds)
        viewer = _viewer(request) or "guest"
        self._studio.pause(viewer, facts.movie_id, seconds, facts.title)
        answer = HTMLResponse(render("watch.html", facts=facts, seconds=seconds))
        return _events(answer, {"paused": "", "wrote": f"Paused: {facts.title}"})

    # The panel

    def panel(self, request: Request) -> Response:
        """What becomes of the viewer's writes, and of all.

        The controls come along only when they have changed: a button that is replaced while
        somebody presses it would not be pressed.
        """
        inside = self._panel(_viewer(request) or "guest")
        is_other = request.query_params.get("controls") != inside["controls_state"]
        return HTMLResponse(render("look.html", **inside, has_other_controls=is_other))

    def _panel(self, viewer: str) -> dict[str, Any]:
        journeys = self._studio.journal.of(viewer, _SHOWN)
        storm = self._studio.storm
        busy = any(one.is_under_way for one in journeys) or bool(
            self._studio.changing_to or self._studio.mongo_changes or (storm and not storm.is_over)
        )
        studio, sight = self._studio, self._studio.observer.sight
        writer = studio.writer
        state = (
            studio.mode,
            studio.changing_to,
            str(studio.trouble),
            studio.mongo_changes,
            sight.mongo_answers,
            bool(writer and writer.is_alive()),
            bool(storm and not storm.is_over),
        )
        return {
            "studio": studio,
            "controls_state": hashlib.sha256(repr(state).encode()).hexdigest()[:12],
            "sight": sight,
            "lags": self._studio.journal.lags(),
            "journeys": journeys,
            "stages": Stage,
            "writers": writers(),
            "busy": busy,
        }

    def change_mode(self, request: Request, typed: FormData) -> Response:
        """Change the way in which the app writes."""
        try:
            mode = Mode(str(typed.get("mode", "")))
        except ValueError:
            raise Trouble("There is no such way to write.", "Choose one of the list.") from None
        self._studio.change(mode)
        return self.panel(request)

    def storm(self, request: Request, typed: FormData) -> Response:
        """Let hundreds of viewers pause at once."""
        self._studio.begin_storm()
        return self.panel(request)

    def turn_mongo(self, request: Request, typed: FormData) -> Response:
        """Stop or start MongoDB."""
        self._studio.turn_mongo(typed.get("on") == "1")
        return self.panel(request)

    def turn_worker(self, request: Request, typed: FormData) -> Response:
        """Kill or start the worker."""
        self._studio.turn_worker(typed.get("on") == "1")
        return self.panel(request)

    # In threads, with every failure told

    def _reading(self, handler: Callable[[Request], Response]) -> Callable[..., Any]:
        async def run(request: Request) -> Response:
            return await to_thread.run_sync(_told, lambda: handler(request))

        return run

    def _writing(self, handler: Callable[[Request, FormData], Response]) -> Callable[..., Any]:
        async def run(request: Request) -> Response:
            if self._limiter is None:
                self._limiter = CapacityLimiter(_WRITES_AT_ONCE)
            async with request.form(max_files=0, max_fields=100) as typed:
                return await to_thread.run_sync(
                    _told, lambda: handler(request, typed), limiter=self._limiter
                )

        return run


def _told(answer: Callable[[], Response]) -> Response:
    """Answer; turn trouble into a message above the cards that leaves everything else as it is."""
    try:
        return answer()
    except Trouble as trouble:
        found = trouble
    except STORES as problem:
        found = trouble_of(problem)
    banner = HTMLResponse(render("trouble.html", trouble=found), 503)
    banner.headers["HX-Retarget"], banner.headers["HX-Reswap"] = "#banner", "innerHTML"
    return banner


def _viewer(request: Request) -> str:
    """Return who is watching: by the page's own word, else by the cookie."""
    said = request.headers.get("x-viewer") or request.cookies.get(COOKIE, "")
    return said if _VIEWER.fullmatch(said) else ""


def _events(answer: Response, events: Mapping[str, str]) -> Response:
    """Let htmx raise events in the page."""
    told = {name: {"detail": value} for name, value in events.items()}
    answer.headers["HX-Trigger-After-Swap"] = json.dumps(told)  # ASCII: headers are not UTF-8
    return answer


def _css(text: str) -> str:
    """Return a text for a CSS string in a header."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text)
