"""What a test needs from the machine, when the machine does not have it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = "PROGRAMS_REQUIRED"
"""The environment variable with which .ci/run forbids to leave a test out for want of a program."""


def left_out(reason: str, required: str = REQUIRED) -> NoReturn:
    """Skip this test; where nothing may be left out, as the variable `required` says, fail it."""
    if os.environ.get(required):
        pytest.fail(f"{required} is set, and this would be skipped: {reason}", pytrace=False)
    pytest.skip(reason)
