"""Jinja, which escapes everything."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from movieapp import posters
from movieapp.facts import Facts, clock

HERE = Path(__file__).parent


@functools.lru_cache(maxsize=2000)
def _poster(facts: Facts) -> Markup:
    return Markup(posters.poster(facts))  # it escapes what it is given


def _ms(value: float | None) -> str:
    """Return milliseconds as people read them."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(poster=_poster, clock=clock, ms=_ms)
_version = max(int(file.stat().st_mtime) for file in (HERE / "static").iterdir())
_ENVIRONMENT.globals.update(version=_version)
_icons: Any = _ENVIRONMENT.get_template("icons.html").module
_ENVIRONMENT.globals.update(
    icon=_icons.icon
)  # here, because each import of a macro costs a page time


def render(name: str, **values: Any) -> str:
    """Return a template filled in. A name that is missing raises jinja2.UndefinedError."""
    return _ENVIRONMENT.get_template(name).render(values)
