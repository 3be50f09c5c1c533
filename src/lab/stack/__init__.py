"""The stack: embedded, in containers or external, and one way to start and stop each."""
