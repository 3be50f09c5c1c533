"""What happened, and whether that may be: no server, no clock, no recipe."""
