"""Posters drawn as SVG from a movie's facts: the same facts, the same poster."""

from movieapp.posters.draw import poster

__all__ = ["poster"]
