"""Commands on their way to Redis, and what is kept there."""
