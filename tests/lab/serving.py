"""Commands of `lab` that serve a page until Ctrl-C: `lab app`, `lab insight`, `lab mongo-admin`."""

from __future__ import annotations

import re
import subprocess
import sys

_CODE = "from lab.cli import main; main()"


def serve(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Start such a command, without a browser; returns it, and the address that it says."""
    command = [sys.executable, "-c", _CODE, *words, "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S*", line):
            return process, found[0]
    raise AssertionError(f"lab {words[0]} has ended before it said where it is")
