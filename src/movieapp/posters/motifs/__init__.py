"""One motif for each genre, drawn on 200 by 200. Each gets its colours and its own chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from movieapp.posters.motifs import forms, people, places
from movieapp.posters.palettes import Palette

Motif = Callable[[Palette, Random], list[str]]
"""Returns the SVG elements, the lowest first."""

MOTIFS: dict[str, Motif] = {
    "Action": forms.action,
    "Adventure": places.adventure,
    "Animation": people.animation,
    "Biography": people.biography,
    "Comedy": people.comedy,
    "Crime": people.crime,
    "Documentary": forms.documentary,
    "Drama": forms.drama,
    "Family": places.family,
    "Fantasy": places.fantasy,
    "History": places.history,
    "Horror": people.horror,
    "Music": forms.music,
    "Musical": forms.musical,
    "Mystery": places.mystery,
    "Romance": forms.romance,
    "Sci-Fi": forms.scifi,
    "Sport": places.sport,
    "Thriller": people.thriller,
    "War": places.war,
    "Western": places.western,
}


def motif(genre: str) -> Motif:
    """Return the motif of a genre; that of drama for one that is not known."""
    return MOTIFS.get(genre, forms.drama)
