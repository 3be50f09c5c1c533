"""Whoever is judged: recipes, peers, and naive controls."""
