"""What the lab raises. Every message says what is wrong and how to mend it."""

from __future__ import annotations


class LabError(RuntimeError):
    """The lab cannot do what was asked; the message says what would mend it."""


class Mendable(LabError):
    """A LabError whose two halves are wanted apart: `what` is wrong, and what would `mend` it."""

    def __init__(self, what: str, mend: str):
        super().__init__(f"{what}. {mend}")
        self.what = what
        self.mend = mend


class Unsupported(LabError):
    """This stack, or this machine, has no such thing."""


class StartFailed(LabError):
    """A service of the stack did not become ready."""


class PortTaken(StartFailed):
    """Another program listens on the port that a service was given."""


class WaitTimeout(LabError, TimeoutError):
    """`wait_until` gave up; the message holds the state of both stores."""


class CommandFailed(LabError):
    """A terminal line that `sh` ran ended with an error."""
