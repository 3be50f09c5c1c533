"""A pytest plugin: tests that share what their module starts run in one worker, so it starts once.

With `--dist loadgroup` the tests of a file go to all workers, and each of these starts the servers of
the file for itself. To start them takes longer than most tests.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give such tests the group of their module, unless they have one."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and _shares(item):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))


def _shares(item: pytest.Item) -> bool:
    """Tell whether a test uses a fixture that is made once a module, itself or through others."""
    found = getattr(item, "_fixtureinfo", None)  # pytest has no public way to ask
    made = found.name2fixturedefs.values() if found else ()
    return any(one.scope == "module" for definitions in made for one in definitions)
