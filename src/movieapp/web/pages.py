"""The routes: one page, and the fragments that htmx puts into it. All addresses are relative.

Whatever fails, what was typed stays: a form that cannot be saved comes back as it was, with what is
wrong and what helps; anything else that fails puts a message above the cards and leaves the page.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from movieapp.facts import facts_of
from movieapp.following.journeys import Stage
from movieapp.search import Wish, wish_of
from movieapp.studio import Studio
from movieapp.troubles import STORES, Trouble, trouble_of
from movieapp.web.dialogs import COOKIE, Dialogs, viewer_of, with_events
from movieapp.web.templating import render
from movieapp.writing.ways import WAYS
from movieapp.writing.writers import Mode

_SHOWN = 8  # journeys in the panel
_WRITES_AT_ONCE = 24  # so that writes which hang leave threads for the pages


class Pages(Dialogs):
    """The handlers. Each runs in a thread, since both stores' clients wait."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._limiter: CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """Return what the app answers."""
        reads: dict[str, Callable[[Request], Response]] = {
            "/": self.page,
            "/movies": self.cards,
            "/movies/count": self.count,
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
        viewer = viewer_of(request) or secrets.token_hex(4)
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
        inside = self._cards(viewer_of(request) or "guest", wish, first)
        answer = HTMLResponse(render("cards/cards.html", wish=wish, is_first=first == 0, **inside))
        if first == 0:
            asked = {k: v for k, v in request.query_params.items() if v.strip() and k != "offset"}
            answer.headers["HX-Replace-Url"] = f"?{urlencode(asked)}" if asked else "?"
        return answer

    def count(self, request: Request) -> Response:
        """How many movies a search finds by now: a write may have changed that."""
        found = self._studio.finder.find(wish_of(request.query_params), 0, 0)
        return HTMLResponse(render("cards/found.html", found=found))

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
        continued = self._continued(viewer_of(request) or "guest")
        return HTMLResponse(render("cards/continue.html", continued=continued))

    def _continued(self, viewer: str) -> list[tuple[Any, int]]:
        strip = []
        for movie_id, seconds in self._studio.finder.last_pauses(viewer, 8):
            document = self._studio.finder.movie(movie_id)
            if document is not None:
                strip.append((facts_of(movie_id, document), seconds))
        return strip

    # Pauses

    def pause(self, request: Request, typed: FormData) -> Response:
        """Keep where the viewer stopped."""
        text = str(typed.get("seconds", ""))
        document = self._movie(request)
        if document is None:
            raise Trouble("This movie has been deleted.", "Search again to see what is there now.")
        facts = facts_of(request.path_params["id"], document)
        seconds = min(int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0, facts.seconds)
        viewer = viewer_of(request) or "guest"
        self._studio.pause(viewer, facts.movie_id, seconds, facts.title)
        answer = HTMLResponse(render("cards/watch.html", facts=facts, seconds=seconds))
        return with_events(answer, {"wrote": f"Paused: {facts.title}"})

    # The panel

    def panel(self, request: Request) -> Response:
        """What becomes of the viewer's writes, and of all.

        The controls come along only when they have changed: a button that is replaced while
        somebody presses it would not be pressed.
        """
        inside = self._panel(viewer_of(request) or "guest")
        is_other = request.query_params.get("controls") != inside["controls_state"]
        return HTMLResponse(render("panel/look.html", **inside, has_other_controls=is_other))

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
            "writers": WAYS,
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
