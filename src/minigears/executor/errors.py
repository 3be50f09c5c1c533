"""Errors that user code meets, and how an error is told to a client.

The classes carry the module name `gears`, since that is how RedisGears prints them.
"""

from __future__ import annotations

import concurrent.futures
import cProfile
import sys
import traceback
import types
from pathlib import Path

_HIDDEN = (
    str(Path(__file__).resolve().parent),
    str(Path(concurrent.futures.__file__).parent),
    cProfile.__file__,
)
"""Our own files, the waiting for a coroutine, and the profiler around a function."""

_IN_PYTHON = tuple(
    str(Path(_HIDDEN[0], *at)) for at in (("script", "builder.py"), ("flow", "keysonly.py"))
)
"""Those of which RedisGears has Python, too."""

show_traceback = True
"""`PythonAttemptTraceback`: without it an error is one line."""


class GearsError(Exception):
    """A call of the Gears runtime failed; shown as `gears.error`."""


class ForceStopped(Exception):
    """Raised inside a function whose execution was aborted; shown as `gears.forcestopped`."""


class Abandoned(ForceStopped):
    """Raised where a run waits when it is aborted: it ends there, and nothing has failed."""


class GearsFlatError(Exception):
    """User code raises it to answer with its message alone, without a traceback."""


def _rename(kind: type, module: str, name: str) -> None:
    kind.__module__, kind.__name__, kind.__qualname__ = module, name, name


_rename(GearsError, "gears", "error")
_rename(ForceStopped, "gears", "forcestopped")
_rename(Abandoned, "gears", "forcestopped")
_rename(GearsFlatError, "gears", "flat_error")


def install_module() -> None:
    """Make the module `gears` importable, so that pickled functions may name its errors."""
    module = types.ModuleType("gears", "Errors of the Gears runtime.")
    module.error = GearsError  # type: ignore[attr-defined]
    module.forcestopped = ForceStopped  # type: ignore[attr-defined]
    module.flat_error = GearsFlatError  # type: ignore[attr-defined]
    sys.modules["gears"] = module


def render(error: BaseException) -> str:
    """The text of an error: `str()` of its traceback as a list of lines, without our frames."""
    try:
        return _rendered(error)
    except BaseException:  # its class cannot tell it as text
        return f"Error type: {type.__repr__(type(error))}, Value: <exception str() failed>"


def _rendered(error: BaseException) -> str:
    if type(error) is GearsFlatError:
        return str(error)
    told = traceback.TracebackException.from_exception(error)
    ours = [frame for frame in told.stack if frame.filename in _IN_PYTHON]
    _hide_our_frames(told, set())
    if not told.stack:
        told.stack[:] = [traceback.FrameSummary("<string>", at.lineno, at.name) for at in ours]
    if not (told.stack and show_traceback):  # the runtime itself raised it, outside of any function
        return render_plainly(error)
    return str(list(told.format()))


def render_plainly(error: BaseException) -> str:
    """The text where there is no traceback: of a script that does not compile, say."""
    return f"Error type: {type(error)}, Value: {error}"


def _hide_our_frames(told: traceback.TracebackException | None, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    kept = [frame for frame in told.stack if not frame.filename.startswith(_HIDDEN)]
    told.stack[:] = kept
    _hide_our_frames(told.__cause__, seen)
    _hide_our_frames(told.__context__, seen)
