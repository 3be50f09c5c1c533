"""Connections to Redis that clients share while nobody can tell."""
