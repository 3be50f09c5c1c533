"""What a test needs from the machine, when the machine does not have it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = "PROGRAMS_REQUIRED"
"""The environment variable with which .ci/run forbids to leave a test out for want of a program."""


def left_out(reason: str) -> NoReturn:
    """Skip this test; where nothing may be left out, fail it."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and here is {reason}", pytrace=False)
    pytest.skip(reason)
