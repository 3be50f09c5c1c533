"""Commands about requirements: list, export, import."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from minigears.executor.replies import CommandError
from minigears.executor.requirements import Requirement, RequirementError

if TYPE_CHECKING:
    from minigears.executor.gears import Gears


def dump(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYDUMPREQS`."""
    return [describe(gears, requirement) for requirement in gears.requirements.all()]


def describe(gears: Gears, requirement: Requirement) -> list[Any]:
    """A requirement's fields, as several commands show them."""
    users = [s for s in list(gears.sessions.values()) if requirement in s.requirements]
    shown = [item for pair in requirement.metadata().items() for item in pair]
    shown += ["Path", str(requirement.path), "RefCount", 1 + len(users)]
    return [*shown, "IsInReqDictionary", "yes"]


def export(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYEXPORTREQ name`: its metadata, then its files in pieces."""
    name = words[0].decode("utf-8", "replace")

    def work() -> Any:
        metadata, chunks = gears.requirements.export(name)
        return [[item for pair in metadata.items() for item in pair], chunks]

    return _in_thread(work)


def import_(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYIMPORTREQ piece …`."""

    def work() -> Any:
        gears.requirements.import_(words)
        return "OK"

    return _in_thread(work)


def _in_thread(work: Callable[[], Any]) -> Future[Any]:
    reply: Future[Any] = Future()

    def run() -> None:
        try:
            reply.set_result(work())
        except RequirementError as error:
            reply.set_exception(CommandError(str(error)))
        except Exception as error:
            reply.set_exception(error)

    threading.Thread(target=run, name="minigears-requirements", daemon=True).start()
    return reply
