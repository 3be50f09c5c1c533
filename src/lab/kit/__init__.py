"""The offline kit: all that a machine needs to run the course, on a USB stick."""
