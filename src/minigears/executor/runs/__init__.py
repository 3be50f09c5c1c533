"""Running a registration: for an event, a hooked command, a stream's batch, a timer."""
