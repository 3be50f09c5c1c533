"""What minigears and its functions log: levels, and JSON on every line."""

import json
import re

import pytest

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for

LOG = """
for level in ('debug', 'verbose', 'notice', 'warning'):
    log('said as ' + level, level=level)
    log(level, 'the other way round, ' + level)
log('said as it is')
"""


SHOWN = [
    ("debug", {"debug": "debug", "verbose": "info", "notice": "info", "warning": "warning"}),
    ("info", {"verbose": "info", "notice": "info", "warning": "warning"}),
    ("warning", {"warning": "warning"}),
    ("error", {}),
]


@pytest.mark.parametrize(("level", "shown"), SHOWN)
def test_what_functions_log_has_its_level(redis_server, tmp_path, level, shown):
    gears = MiniGears(redis_server, tmp_path, "--log-format", "json", "--log-level", level)
    gears.start()
    gears.run(LOG)
    assert gears.stop() == 0
    entries = [json.loads(line) for line in gears.log.splitlines()]
    said = [(e["level"], e["message"]) for e in entries if e["logger"] == "minigears.gears"]
    warned = [entry for entry in said if "is depricated" in entry[1]]
    assert {level for level, _ in warned} <= {"warning"}
    assert len(warned) == (4 if "warning" in shown else 0)  # for each call the other way round
    expected = [
        (ours, f"GEARS: {words}{theirs}")
        for theirs, ours in shown.items()
        for words in ("said as ", "the other way round, ")
    ]
    if "notice" in shown:
        expected.append(("info", "GEARS: said as it is"))
    assert [entry for entry in said if entry not in warned] == expected


def test_logs_are_json_on_every_line(redis_server, tmp_path):
    own = MiniGears(redis_server, tmp_path, "--log-format", "json")
    own.start()
    own.executor.kill()
    wait_for(lambda: "starting another" in own.log, what="a line of the log")
    entries = [json.loads(line) for line in own.log.splitlines()]
    [entry] = [e for e in entries if "starting another" in e["message"]]
    assert entry["level"] == "error"
    assert entry["logger"] == "minigears.door.executor"
    assert own.stop() == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry["time"])
