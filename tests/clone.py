"""The project as a clone has it: what is committed, or would be."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.plugins.sandbox import REPOSITORY


def clone_into(folder: Path) -> None:
    """Copy the files that git knows, or would if they were added, into a folder."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True).stdout
    pack = ["tar", "--create", "--null", "--files-from=-", "--ignore-failed-read"]
    packed = subprocess.run(pack, cwd=REPOSITORY, input=names, check=True, capture_output=True)
    subprocess.run(["tar", "--extract"], cwd=folder, input=packed.stdout, check=True)
