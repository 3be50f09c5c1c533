"""`RG.PYEXECUTE`: run a script."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minigears.executor.flow.executions import Execution
from minigears.executor.ids import is_session_id, new_session_id
from minigears.executor.replies import OK, CommandError
from minigears.executor.requirements import RequirementError
from minigears.executor.script.registrations import Session
from minigears.executor.script.run import Script

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

_NOT_SATISFIED = "Could not satisfy requirements (look at redis log file for more information)"


@dataclass
class Options:
    """What follows the script."""

    unblocking: bool = False
    upgrade: bool = False
    force_reinstall: bool = False
    session: str | None = None
    replace_with: str | None = None
    description: str | None = None
    requirements: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, words: list[str]) -> Options:
        """Read them; raises CommandError."""
        options = cls()
        rest = iter(words)
        for word in rest:
            keyword = word.upper()
            if keyword == "UNBLOCKING":
                options.unblocking = True
            elif keyword == "UPGRADE":
                options.upgrade = True
            elif keyword == "FORCE_REINSTALL_REQUIREMENTS":
                options.force_reinstall = True
            elif keyword == "ID":
                options.session = _session_id(_value(rest, keyword))
            elif keyword == "REPLACE_WITH":
                options.replace_with = _value(rest, keyword)
            elif keyword == "DESCRIPTION":
                options.description = _value(rest, keyword)
            elif keyword == "REQUIREMENTS":
                options.requirements = list(rest)
            else:
                raise CommandError(f"Unknown arguments were given: {word}")
        return options


def execute(gears: Gears, words: list[bytes]) -> Any:
    """Run a script in a thread of its own; the reply comes when it, and its run, have ended."""
    options = Options.parse([word.decode("utf-8", "replace") for word in words[1:]])
    reply: Future[Any] = Future()
    threading.Thread(
        target=_run, args=(gears, words[0], options, reply), name="minigears-script", daemon=True
    ).start()
    return reply


def _value(rest: Any, keyword: str) -> str:
    value: str | None = next(rest, None)
    if value is None:
        raise CommandError(f"{keyword} is missing")
    return value


def _session_id(given: str) -> str:
    if not is_session_id(given):
        raise CommandError("ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']")
    return given


def _run(gears: Gears, source: bytes, options: Options, reply: Future[Any]) -> None:
    try:
        with gears.scripts:
            script = _run_script(gears, source, options)
    except BaseException as error:
        reply.set_exception(error)
        return
    if script.requested_run is None:
        reply.set_result(OK)
        return
    execution = script.begin_run()
    if script.session.registrations:  # such a script answers so; RG.DUMPEXECUTIONS has its run
        reply.set_result(OK)
    elif options.unblocking:
        reply.set_result(execution.id)
    else:
        execution.when_done(lambda ended: _reply_and_drop(gears, ended, reply))


def _reply_and_drop(gears: Gears, execution: Execution, reply: Future[Any]) -> None:
    """A run that a client has waited for: it was listed, and could be aborted, as long as it ran."""
    gears.executions.drop(execution)
    reply.set_result(execution.reply())


def _run_script(gears: Gears, source: bytes, options: Options) -> Script:
    replaces = _replaced(gears, options)
    session = Session(options.session or new_session_id(), options.description)
    _install(gears, session, options)
    script = Script(gears, session, replaces)
    try:
        script.execute(source)
    except CommandError:
        gears.unregister(script.unregistered)  # as in RedisGears, what is out stays out
        if options.force_reinstall:
            gears.requirements.take_back(session.requirements)
        raise
    session.seal(script.pieces)
    session.code += script.call_on_registered()
    gears.commit(session, replaces, script.unregistered)
    return script


def _replaced(gears: Gears, options: Options) -> frozenset[str]:
    """Ids of the sessions that the new one takes the place of; raises CommandError."""
    replaces = set()
    existing = options.session if options.session in gears.sessions else None
    if existing is not None and options.replace_with is not None:
        raise CommandError(
            f"Can not replace an existing session {existing} with {options.replace_with}"
        )
    if existing is not None:
        if not options.upgrade:
            raise CommandError(f"Session {options.session} already exists")
        replaces.add(options.session)
    if options.replace_with is not None:
        if options.replace_with not in gears.sessions:
            raise CommandError(
                f"Can not replace with {options.replace_with}, session does not exists."
            )
        replaces.add(options.replace_with)
    return frozenset(r for r in replaces if r is not None)


def _install(gears: Gears, session: Session, options: Options) -> None:
    store, names = gears.requirements, options.requirements
    session.installed = options.force_reinstall or (bool(names) and not store.knows(names))
    try:
        session.requirements = store.install(names, options.force_reinstall)
    except RequirementError:
        raise CommandError(_NOT_SATISFIED) from None
    store.activate(session.requirements)
