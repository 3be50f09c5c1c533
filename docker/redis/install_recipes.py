"""Puts what the course's recipes require into the cache that minigears installs into."""

import os
from pathlib import Path

from minigears.executor.requirements.store import RequirementStore

store = RequirementStore(Path(os.environ["MINIGEARS_CACHE"]), lambda line, level: print(line))
store.install(Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").split())
