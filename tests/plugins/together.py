"""A pytest plugin: what makes a run with several workers of pytest-xdist short.

With `--dist loadgroup` the tests of a file go to all workers, and each of these starts the servers of
the file for itself, which takes longer than most tests. So tests that share what their module starts
run in one worker. And the tests are handed out in order, so the notebooks, which wait for more than
half of their time, would wait side by side while no processor works. So they are spread.
"""

from __future__ import annotations

import pytest

_SPREAD = 0.8  # the share of the others behind which the last one begins, so that it is not the end


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests the group of their module, unless they have one; spread those that wait."""
    for item in items:
        if not _grouped(item) and _shares(item):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))
    if hasattr(config, "workerinput"):
        items[:] = spread(items)


def _grouped(item: pytest.Item) -> bool:
    return item.get_closest_marker("xdist_group") is not None


def _shares(item: pytest.Item) -> bool:
    """Tell whether a test uses a fixture that is made once a module, itself or through others."""
    found = getattr(item, "_fixtureinfo", None)  # pytest has no public way to ask
    made = found.name2fixturedefs.values() if found else ()
    return any(one.scope == "module" for definitions in made for one in definitions)


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """Put tests that are marked `waits` evenly among those that belong to no group.

    Groups come first: pytest-xdist begins with them anyway, the largest first.
    """
    groups = [item for item in items if _grouped(item)]
    singles = [item for item in items if not _grouped(item)]
    waits = [item for item in singles if item.get_closest_marker("waits")]
    works = [item for item in singles if not item.get_closest_marker("waits")]
    place = {item: number / len(works) for number, item in enumerate(works)}
    place |= {item: _SPREAD * number / len(waits) for number, item in enumerate(waits)}
    return groups + sorted(waits + works, key=place.__getitem__)
