"""The module `redisAI` as scripts find it where RedisAI is not loaded: every call says so."""

from __future__ import annotations

import sys
import types
from typing import Any, NoReturn

from minigears.executor.errors import GearsError

_NAMES = """
    createDAGRunner createModelRunner createScriptRunner createTensorFromBlob createTensorFromValues
    getTensorFromKey mgetTensorsFromKeyspace modelRunnerAddInput modelRunnerAddOutput modelRunnerRun
    modelRunnerRunAsync msetTensorsInKeyspace scriptRunnerAddInput scriptRunnerAddInputList
    scriptRunnerAddOutput scriptRunnerRun scriptRunnerRunAsync setTensorInKey tensorGetDataAsBlob
    tensorGetDims tensorToFlatList
"""


def install_module() -> None:
    """Make `redisAI` importable."""
    module = types.ModuleType("redisAI", "What RedisAI would offer.")
    for name in _NAMES.split():
        setattr(module, name, _not_loaded)
    sys.modules["redisAI"] = module


def _not_loaded(*arguments: Any) -> NoReturn:
    raise GearsError("RedisAI is not loaded, it is not possible to use AI interface.")
