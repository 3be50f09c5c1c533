"""Twelve properties of a write-behind recipe, and whoever is judged by them."""
