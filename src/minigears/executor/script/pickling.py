"""The functions of registrations and timers as bytes, and back.

Functions of one script find one dictionary of globals again, although they were stored in several pieces.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import cloudpickle

from minigears.executor.flow.steps import Step

Code = tuple[list[Step], Callable[[], Any] | None]
"""A registration's steps, and what is called when it takes effect."""

SCRIPT = "redisgears_script"
"""`__name__` in the globals of scripts: no module that can be imported, so functions are stored whole."""


def pickle_code(code: Mapping[str, Code]) -> bytes:
    """The functions of registrations as bytes, by id; raises whatever pickling raises."""
    packed = {
        name: ([step.pack() for step in steps], on_registered)
        for name, (steps, on_registered) in code.items()
    }
    pickled: bytes = cloudpickle.dumps(packed)
    return pickled


def unpickle_code(data: bytes, script_globals: dict[str, Any]) -> dict[str, Code]:
    """From what `pickle_code` returned; raises whatever loading the functions raises.

    What the functions know as globals is put into `script_globals`, which becomes theirs.
    """
    return {
        name: ([Step(*packed) for packed in steps], on_registered)
        for name, (steps, on_registered) in _Unpickler(data, script_globals).load().items()
    }


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, script_globals: dict[str, Any]):
        super().__init__(io.BytesIO(data))
        self._globals = script_globals

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if name != "_make_function" or not module.startswith("cloudpickle"):
            return found

        def make(code: Any, own: dict[str, Any], *rest: Any) -> FunctionType:
            made: FunctionType = found(code, own, *rest)
            if own.get("__name__") != SCRIPT:
                return made
            return FunctionType(
                code, self._globals, made.__name__, made.__defaults__, made.__closure__
            )

        return make
