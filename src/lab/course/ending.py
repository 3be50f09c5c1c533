"""The end of a stack that notebooks ran on by themselves: `python -m lab.course.ending`.

`lab down` does not look for the containers that notebook 02b starts: a learner may be in the middle of it.
A run that nobody sits before has no such middle, and where 02b failed it left them.
"""

from __future__ import annotations

from lab import paths
from lab.errors import LabError
from lab.stack import lifecycle
from lab.stack.containers.engine import connect, is_likely
from lab.stack.containers.making import remove

_LABEL = "course.02b"
"""What notebook 02b labels its containers and networks with; its value is the stack's folder."""


def end() -> None:
    """Stop the stack of LAB_HOME, and remove what notebook 02b has left beside it. Its data stay."""
    try:
        lifecycle.down()
    finally:
        _remove_containers()


def _remove_containers() -> None:
    if not is_likely():
        return
    try:
        engine = connect()
    except LabError:  # without a daemon 02b has started nothing
        return
    mine = {"label": f"{_LABEL}={paths.home()}"}
    for container in engine.containers.list(all=True, filters=mine, ignore_removed=True):
        remove(container)
    for network in engine.networks.list(filters=mine):
        network.remove()


if __name__ == "__main__":
    end()
