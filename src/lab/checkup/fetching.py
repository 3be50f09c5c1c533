"""What the first registration would fetch: the recipes' packages, and gears-cli.

Set-up fetches them, so that a class without a network, or a laptop on a train, can register.
"""

from __future__ import annotations

import os
import subprocess
import sys

from lab import environment, paths
from lab.cells.prepare import RECIPE_REQUIREMENTS
from lab.errors import LabError
from lab.report import progress, say
from lab.tools import gearscli


def missing() -> list[str]:
    """Return what is not in the cache yet."""
    store = _store(log=[])
    lacks = [name for name in RECIPE_REQUIREMENTS if store.find(name) is None]
    return lacks if gearscli.is_installed() else [*lacks, "gears-cli"]


def fetch() -> None:
    """Fetch what is missing, in a process that no setting of pip or uv leads astray.

    Raises LabError, which names what could not be had.
    """
    if not missing():
        say("Everything that recipes and gears-cli ask for is here.")
        return
    words = [sys.executable, "-m", "lab.checkup.fetching"]
    if subprocess.run(words, env=environment.isolated(os.environ, paths.cache())).returncode:
        raise LabError(f"Not everything is here: {', '.join(missing())}.")


def _store(log: list[str]):  # type: ignore[no-untyped-def]
    from minigears.executor.requirements import RequirementStore

    return RequirementStore(paths.cache(), lambda text, level: log.append(text))


def main() -> None:
    """Fetch what is missing here and now; exit with 1 when something cannot be had."""
    log: list[str] = []
    failed = []
    for number, name in enumerate(wanted := missing(), start=1):
        say(f"    fetching {name}, for the recipes ({number} of {len(wanted)})")
        try:
            with progress(f"    {name}"):
                if name == "gears-cli":
                    gearscli.ensure()
                else:
                    _store(log).install([name])
        except Exception as problem:
            failed.append(name)
            say("\n".join([*log[-4:], str(problem)]), aside=True)
    if failed:
        say(
            f"Could not fetch {', '.join(failed)}: registering a recipe will want a network.",
            aside=True,
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
