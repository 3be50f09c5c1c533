"""`RG.CONFIGGET` and `RG.CONFIGSET`: what may be set, how it is spelled, what is said of the rest."""

from __future__ import annotations

import pytest

from minigears.executor import errors
from minigears.executor.config import Config
from minigears.executor.replies import Error

SAVED = "OK - value was saved in extra config dictionary"


@pytest.mark.parametrize(
    ("name", "value", "reply", "then"),
    [
        ("MaxExecutions", "0", "OK", 0),
        ("maxexecutions", "-1", "OK", -1),
        ("MAXEXECUTIONSPERREGISTRATION", "7", "OK", 7),
        ("ProfileExecutions", "2", "OK", 2),
        ("SendMsgRetries", "0", "OK", 0),
        ("ExecutionMaxIdleTime", "1", "OK", 1),
        ("PythonAttemptTraceback", "5", SAVED, 1),
        ("PythonInstallReqMaxIdleTime", "60000", SAVED, 60000),
        ("mine", "0", SAVED, "0"),
    ],
)
def test_what_can_be_set(name: str, value: str, reply: str, then: object):
    config = Config()
    assert config.set(name, value) == reply
    assert not isinstance(config.set(name, value), Error)
    spelled = {"maxexecutions": "MaxExecutions"}.get(name, name)
    spelled = {"MAXEXECUTIONSPERREGISTRATION": "MaxExecutionsPerRegistration"}.get(spelled, spelled)
    assert config.get(spelled) == then


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "ExecutionThreads",
            "5",
            "(error) Config value ExecutionThreads not modifiable at runtime",
        ),
        (
            "executionthreads",
            "5",
            "(error) Config value executionthreads not modifiable at runtime",
        ),
        ("Plugin", "x", "(error) Config value Plugin not modifiable at runtime"),
        ("CreateVenv", "1", "(error) CreateVenv is not configurable at runtime"),
        ("DependenciesUrl", "x", "(error) DependenciesUrl is not configurable at runtime"),
        ("MaxExecutions", "abc", "(error) Failed setting config value MaxExecutions"),
        ("maxExecutions", "+1", "(error) Failed setting config value maxExecutions"),
        ("MaxExecutions", "01", "(error) Failed setting config value MaxExecutions"),
        ("MaxExecutions", "9" * 19, "(error) Failed setting config value MaxExecutions"),
        ("MaxExecutions", None, "(error) Failed setting config value MaxExecutions"),
        ("ExecutionMaxIdleTime", "0", "(error) Failed setting config value ExecutionMaxIdleTime"),
        ("SendMsgRetries", "-1", "(error) Failed setting config value SendMsgRetries"),
        ("mine", None, "(error) Value was not given to mine"),
        ("PythonAttemptTraceback", None, "(error) Value was not given to PythonAttemptTraceback"),
        (
            *("PythonInstallReqMaxIdleTime", "0"),
            "Failed setting config value for key 'PythonInstallReqMaxIdleTime' with value '0'",
        ),
        (
            *("PythonAttemptTraceback", "yes"),
            "Failed setting config value for key 'PythonAttemptTraceback' with value 'yes'",
        ),
    ],
)
def test_what_cannot_be_set(name: str, value: str | None, words: str):
    config = Config()
    before = config.get(name)
    said = config.set(name, value)
    assert (said, isinstance(said, Error)) == (words, True)
    assert config.get(name) == before


def test_names_are_asked_for_as_they_are_spelled():
    config = Config()
    for name in ("maxexecutions", "createvenv", "plugin", "nosuch"):
        assert config.get(name) == f"(error) Unsupported config parameter: {name}"
    assert config.get("ForeceDownloadDepsOnEnterprise") == 0
    assert config.set("createvenv", "1") == SAVED  # a value of the user's own
    assert (config.get("createvenv"), config.get("CreateVenv")) == ("1", 0)


def test_a_value_of_the_plugin_is_kept_among_the_users():
    config = Config()
    config.set("PythonAttemptTraceback", "0")
    assert not errors.show_traceback
    assert config.extra == {"PythonAttemptTraceback": "0"}
    config.set("PythonAttemptTraceback", "1")
    assert errors.show_traceback
