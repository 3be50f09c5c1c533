"""The movie app of the course: cards, a search, and a panel that follows each write to MongoDB."""
