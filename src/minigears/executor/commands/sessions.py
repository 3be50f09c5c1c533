"""`RG.PYDUMPSESSIONS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minigears.executor.commands.registrations import dump_one
from minigears.executor.commands.requirements import describe
from minigears.executor.replies import CommandError

if TYPE_CHECKING:
    from minigears.executor.gears import Gears
    from minigears.executor.script.registrations import Session


def dump(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYDUMPSESSIONS [VERBOSE] [DEAD] [SESSIONS id …]`."""
    verbose = dead = False
    names: list[str] | None = None
    rest = iter(word.decode("utf-8", "replace") for word in words)
    for word in rest:
        keyword = word.upper()
        if keyword == "VERBOSE":
            verbose = True
        elif keyword == "DEAD":
            dead = True
        elif keyword == "SESSIONS":
            names = list(rest)
        else:
            raise CommandError(f"Unknown option {word}")
    if names is not None:
        return [_dump_named(gears, name, verbose) for name in names]
    if dead:
        return [_dump(gears, session, verbose, dead=True) for session in gears.dead_sessions()]
    return [_dump(gears, session, verbose) for _, session in sorted(gears.sessions.items())]


def _dump_named(gears: Gears, name: str, verbose: bool) -> Any:
    session = gears.sessions.get(name)
    return f"Session {name} does not exists" if session is None else _dump(gears, session, verbose)


def _dump(gears: Gears, session: Session, verbose: bool, dead: bool = False) -> list[Any]:
    requirements: list[Any] = [r.name for r in session.requirements]
    registrations: list[Any] = list(session.registrations)
    if verbose:
        requirements = [describe(gears, requirement) for requirement in session.requirements]
        registrations = [dump_one(registration) for registration in session.registrations.values()]
    return session.dump(requirements, registrations, dead)
