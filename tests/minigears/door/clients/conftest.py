"""A minigears where nothing is registered, and one where something is."""

import pytest

from tests.minigears.realgears import MiniGears

REGISTER = "GB('KeysReader').foreach(lambda x: None).register(prefix='k:*', mode='sync')"


@pytest.fixture(params=["no registration", "a registration"])
def gears_either_way(request, gears: MiniGears):
    if request.param == "a registration":
        gears.run(REGISTER)
    return gears
