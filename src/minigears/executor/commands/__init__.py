"""The `RG.*` commands: words in, reply out.

A command's function takes the state and the words after its name. It returns a reply (see
`replies.py`), or a Future of one when it takes long; it raises CommandError for an error reply.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from minigears.executor import replies
from minigears.executor.commands import (
    config,
    executions,
    misc,
    pyexecute,
    registrations,
    requirements,
    sessions,
    triggers,
)
from minigears.executor.commands.docs import command_info
from minigears.executor.commands.info import info
from minigears.executor.gears import Gears
from minigears.executor.replies import CommandError, Error
from minigears.executor.script.run import Script
from minigears.executor.usercode.context import Context

log = logging.getLogger(__name__)

_NO_BLOCKING = "Can not run gears inside a multi exec, lua, or when blocking is not allowed"

_COMMANDS: dict[str, tuple[int, int | None, Callable[[Gears, list[bytes]], Any]]] = {
    "rg.abortexecution": (1, 1, executions.abort),
    "rg.clearregistrationsstats": (0, 0, registrations.clear_stats),
    "rg.configget": (0, None, config.get),
    "rg.configset": (0, None, config.set_),
    "rg.dropexecution": (1, 1, executions.drop),
    "rg.dumpexecutions": (0, None, executions.dump),
    "rg.dumpplugins": (0, None, misc.dump_plugins),
    "rg.dumpregistrations": (0, None, registrations.dump),
    "rg.getexecution": (1, 2, executions.get),
    "rg.getresults": (1, None, executions.results),
    "rg.getresultsblocking": (1, 1, executions.results_blocking),
    "rg.hello": (0, None, misc.hello),
    "rg.infocluster": (0, None, misc.info_cluster),
    "rg.networktest": (0, None, misc.network_test),
    "rg.pauseregistrations": (1, 1, registrations.pause),
    "rg.pydumpreqs": (0, None, requirements.dump),
    "rg.pydumpsessions": (0, None, sessions.dump),
    "rg.pyexecute": (1, None, pyexecute.execute),
    "rg.pyexecuteremote": (0, None, misc.execute_remote),
    "rg.pyexportreq": (1, 1, requirements.export),
    "rg.pyfreeinterpreter": (0, None, misc.free_interpreter),
    "rg.pyimportreq": (1, None, requirements.import_),
    "rg.pyprofile": (1, None, misc.profile),
    "rg.pystats": (0, None, misc.stats),
    "rg.refreshcluster": (0, None, misc.refresh_cluster),
    "rg.trigger": (1, None, triggers.trigger),
    "rg.triggeronkey": (1, None, triggers.trigger_on_key),
    "rg.unpauseregistrations": (1, 1, registrations.unpause),
    "rg.unregister": (1, 2, registrations.unregister),
}
"""Name -> (fewest words after the name, most of them or None, function)."""

_LONG = frozenset({"rg.pyexecute", "rg.getresultsblocking"})
"""Commands that user code may not call: they would wait for what waits for them."""


def install(gears: Gears) -> None:
    """Let user code call `RG.*` commands through `execute`."""
    gears.on_command = lambda argv, context: _call_inside(gears, argv, context)


def call(gears: Gears, argv: list[bytes], in_multi: bool = False) -> Any:
    """The reply to a client's command, or a Future of it; errors are `Error` replies.

    `in_multi`: the client queued it between MULTI and EXEC, where nothing may wait.
    """
    name = _name(argv)
    if name == "command":
        return [command_info(_text(word)) for word in argv[2:]]
    try:
        if name == "function":  # a client has cleared Redis's functions, perhaps
            gears.store_again()
            return replies.OK
        if name == "info":
            return info(gears, argv[1:])
        function = _function(name, argv)
        if in_multi and name in _LONG:
            raise CommandError(_NO_BLOCKING)
        if in_multi and name in ("rg.trigger", "rg.triggeronkey"):
            function = triggers.trigger_in_multi
        reply = function(gears, argv[1:])
    except Exception as error:
        return _error(error)
    return _settled(reply) if isinstance(reply, Future) else reply


def _error(error: BaseException) -> Error:
    """The reply for an error: a command's own, or one that Redis or the machine raised."""
    if not isinstance(error, CommandError):
        log.error("a command failed", exc_info=error)
        return Error(f"ERR {error}")
    return Error(str(error))


def _call_inside(gears: Gears, argv: list[bytes], context: Context) -> Any:
    name = _name(argv)
    if name in _LONG:
        raise CommandError(_NO_BLOCKING)
    if name in ("rg.trigger", "rg.triggeronkey"):
        return replies.to_python(triggers.call_inside(gears, argv[1:], context))
    function = _function(name, argv)
    if name == "rg.abortexecution":
        return replies.to_python(executions.abort_inside(gears, argv[1:]))
    if name == "rg.unregister" and isinstance(context.script, Script):
        return registrations.unregister_in_script(gears, argv[1:], context.script)
    if name == "rg.unregister":
        return registrations.unregister_inside(gears, argv[1:], context)
    return replies.to_python(function(gears, argv[1:]))


def _function(name: str, argv: list[bytes]) -> Callable[[Gears, list[bytes]], Any]:
    if name not in _COMMANDS:
        given = "".join(f"'{_text(word)}' " for word in argv[1:])
        raise CommandError(
            f"ERR unknown command '{_text(argv[0])}', with args beginning with: {given}"
        )
    fewest, most, function = _COMMANDS[name]
    if not fewest <= len(argv) - 1 <= (len(argv) if most is None else most):
        raise CommandError(f"ERR wrong number of arguments for '{name}' command")
    return function


def _settled(future: Future[Any]) -> Future[Any]:
    """The same, with errors as replies."""
    settled: Future[Any] = Future()

    def done(ended: Future[Any]) -> None:
        error = ended.exception()
        if error is None:
            settled.set_result(ended.result())
        else:
            settled.set_result(_error(error))

    future.add_done_callback(done)
    return settled


def _name(argv: list[bytes]) -> str:
    return _text(argv[0]).lower()


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
