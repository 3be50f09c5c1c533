"""The dialogs: adding, changing and deleting a movie. What was typed comes back with whatever is wrong."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from markupsafe import escape
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from movieapp.facts import facts_of
from movieapp.models import Movie, fingerprint
from movieapp.studio import Studio
from movieapp.troubles import STORES, Conflict, Trouble, trouble_of
from movieapp.web import forms
from movieapp.web.forms import MovieForm
from movieapp.web.templating import render

COOKIE = "movieapp-viewer"
_VIEWER = re.compile(r"[a-z0-9]{1,24}")
_MOVIE_ID = re.compile(r"[^\s/]{1,100}")


class Dialogs:
    """The handlers of the dialogs."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

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
            render("dialogs/delete.html", facts=facts, was=was, told=told), 409 if told else 200
        )

    def _movie(self, request: Request) -> dict[str, Any] | None:
        return self._studio.finder.movie(request.path_params["id"])

    def _position(self, viewer: str, movie_id: str) -> int | None:
        """Return where the viewer stopped it; None when Redis does not say so: the movie is saved already."""
        try:
            return self._studio.finder.positions(viewer, [movie_id]).get(movie_id)
        except STORES:
            return None

    def _form(self, form: MovieForm, status: int = 200, **told: Any) -> Response:
        page = render(
            "dialogs/editor.html", form=form, genres=forms.GENRES, longest=forms.LONGEST, **told
        )
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
        viewer = viewer_of(request) or "guest"
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
        facts, seconds = facts_of(movie_id, movie.document()), self._position(viewer, movie_id)
        card = render("cards/card.html", facts=facts, seconds=seconds, takes_place=not form.is_new)
        answer = HTMLResponse(card)
        if form.is_new:
            answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#grid", "afterbegin"
        else:  # the card may be gone by now: a search came between
            answer.headers["HX-Reswap"] = "none"
        return with_events(
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
                self._studio.delete_movie(viewer_of(request) or "guest", movie, was)
            except Conflict as conflict:
                if conflict.now is not None:
                    told = "Somebody changed this movie after you opened this question. It is now:"
                    return self._ask_to_delete(movie_id, conflict.now, told)
        answer = HTMLResponse(f'<li id="movie-{escape(movie_id)}" hx-swap-oob="delete"></li>')
        answer.headers["HX-Reswap"] = "none"
        return with_events(answer, {"close-dialog": "", "wrote": f"Deleted: {title}"})


def viewer_of(request: Request) -> str:
    """Return who is watching: by the page's own word, else by the cookie."""
    said = request.headers.get("x-viewer") or request.cookies.get(COOKIE, "")
    return said if _VIEWER.fullmatch(said) else ""


def with_events(answer: Response, events: Mapping[str, str]) -> Response:
    """Let htmx raise events in the page."""
    told = {name: {"detail": value} for name, value in events.items()}
    answer.headers["HX-Trigger-After-Swap"] = json.dumps(told)  # ASCII: headers are not UTF-8
    return answer
