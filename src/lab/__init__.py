"""What the notebooks import: the stack, the movies, live views, load, checks."""
