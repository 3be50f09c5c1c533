"""Scripts: what they say, and what of it takes effect when they have ended."""
