"""What user code can call; `names` says under which names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from minigears.executor import errors
from minigears.executor.errors import GearsError, GearsFlatError
from minigears.executor.flow.keysonly import keys_only
from minigears.executor.functions import in_c
from minigears.executor.redis.calls import to_value, to_words
from minigears.executor.redis.prefetch import MISSING
from minigears.executor.replies import CommandError, to_text
from minigears.executor.runs import hooks, timers
from minigears.executor.usercode import context
from minigears.executor.usercode.awaited import GearsFuture
from minigears.executor.usercode.calling import coroutines, make_record
from minigears.executor.usercode.context import UNSET, Acting, CommandContext, Context, current
from minigears.executor.usercode.futures import AsyncRecord
from minigears.executor.usercode.interrupt import stop_if_asked
from minigears.executor.usercode.log import LEVELS, write

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

_HASHTAG = "06S"
"""RedisGears's hash tag of slot 0, which a server that is no cluster has."""

_LEVEL_FIRST = "Specify log level as the first argument to log function is depricated, use key argument 'level' instead"

_gears: Gears


def act_on(gears: Gears) -> None:
    """Let all that follows act on `gears`."""
    global _gears
    _gears = gears
    context.install(gears.gate)


def _context() -> Context:
    context = current.get()
    if context is None:  # a thread that user code started
        context = Context(caller=_gears.blocking)
        current.set(context)
    return context


@in_c
def execute(*words: Any) -> Any:
    """Run a Redis command and return its reply; raises `gears.error` if that is an error."""
    context = _context()
    if not words:
        return []
    if not isinstance(words[0], str):
        raise GearsError("the given command must be a string")
    argv = to_words(words)
    prefetch = context.prefetch
    if prefetch is not None and not context.atomic_depth:
        reply = prefetch.take(argv)
        if reply is not MISSING:
            return to_value(reply)
    if argv[0][:3].lower() == b"rg.":
        try:
            return _gears.execute(argv, context)
        except CommandError as error:
            raise GearsError(f"{error}\r\n") from None
    standing = _gears.registry.hooks(argv, lambda: _gears.rules.table.keys(argv))
    if standing and not (context.command and context.command.call_next):
        return to_value(hooks.call_inside(_gears, standing, argv))
    reply = context.caller.call(_gears.rules.form(argv, context.marked))
    _gears.settling.wait(context, argv)
    stop_if_asked(context)
    return to_value(reply)


@in_c
def call_next(*words: Any) -> Any:
    """In a hook: run the next hook, or the command itself, with these words after its name."""
    command = _context().command
    if command is None or command.call_next is None:
        raise GearsError(f"Can not get {'command hook' if coroutines.here else 'CommandHook'} ctx")
    return to_value(command.call_next([command.argv[0], *(to_words(words) if words else [])]))


def _command() -> CommandContext:
    command = _context().command
    if command is None:
        raise GearsError("Can not get command ctx")
    return command


@in_c
def get_command(*_: Any) -> list[Any]:
    """The words of the client's command that made this function run."""
    return [to_text(word) for word in _command().argv]


@in_c
def override_reply(*arguments: Any) -> None:
    """`override_reply(reply)`: answer the client's command with `reply`; allowed once."""
    command = _command()
    if command.call_next is not None:  # a hook's result is the reply
        raise GearsError("Can not get command ctx")
    (reply,) = _exactly_one(arguments, "Override reply must get a single argument")
    if command.reply is not UNSET:
        raise GearsError("Can only override reply once")
    command.reply = reply


class atomic:
    """`with atomic():` no other function's calls come between those of the block."""

    def __enter__(self) -> atomic:
        self._context = _context()
        if self._context.atomic_depth:
            raise GearsError("Already inside an atomic block")
        _gears.gate.enter()
        self._alone = _gears.alone()
        self._alone.__enter__()
        self._context.atomic_depth += 1
        return self

    def __exit__(self, *error: Any) -> None:
        if not self._context.atomic_depth:
            raise GearsError("Not inside an atomic block")
        self._context.atomic_depth -= 1
        self._alone.__exit__(None, None, None)
        _gears.gate.leave()


@in_c
def gearsFuture(*arguments: Any) -> AsyncRecord:
    """A value that comes later: the step that returns it goes on when it is continued."""
    if arguments:
        raise GearsError("Future gets no arguments")
    return make_record()


@in_c
def isInAtomicBlock(*_: Any) -> bool:
    """Whether this code runs inside `atomic()`."""
    return _context().atomic_depth > 0


@in_c
def isAsyncAllow(*_: Any) -> bool:
    """Whether this function may return a coroutine or a `gearsFuture`; a coroutine itself may not."""
    return _context().wait is not None and not coroutines.here


@in_c
def hashtag(*_: Any) -> str:
    """A hash tag of this shard."""
    return _HASHTAG


@in_c
def configGet(*arguments: Any) -> str | None:
    """`configGet(name)`: a value that `RG.CONFIGSET` keeps for scripts; None if there is none.

    It has neither RedisGears's own settings nor those of Redis (`execute('CONFIG', 'GET', name)`).
    """
    (name,) = _exactly_one(arguments, "get_config function must get a single key input")
    if not isinstance(name, str):
        raise GearsError("get_config key must be a string")
    return _gears.config.extra.get(name)


def gearsConfigGet(key: Any, default: Any = None) -> Any:
    """The same; `default` if there is none."""
    value = configGet(key)
    return default if value is None else value


@in_c
def log(*words: Any, level: Any = "notice") -> None:
    """Write to the server's log: `log(message, level='notice')` or `log(level, message)`."""
    if not 1 <= len(words) <= 2:
        raise GearsError("log function must get a log message as input")
    if len(words) == 2:
        write(_LEVEL_FIRST, "warning")
    level, message = words if len(words) == 2 else (level, words[0])
    if not isinstance(message, str):
        raise GearsError("Log message must be a string")
    if not isinstance(level, str):
        raise GearsError("Log level must be a sting (debug/verbose/notice/warning)")
    if level not in LEVELS:
        raise GearsError(f"Log level should be one of the following : {','.join(LEVELS)}")
    write(message, level)


@in_c
def flat_error(*arguments: Any) -> None:
    """`flat_error(message)`: fail with this message alone."""
    raise GearsFlatError(*_exactly_one(arguments, "not enough arguments for time flat error"))


def runCoroutine(
    coroutine: Coroutine[Any, Any, Any],
    f: AsyncRecord | None = None,
    delay: float = 0,
    s: Any = None,
) -> None:
    """Run a coroutine after `delay` seconds; its value or error goes to the future `f`."""

    async def run() -> None:
        await asyncio.sleep(delay)
        try:
            value = await coroutine
        except BaseException as error:
            if f is None:
                write(errors.render(error), "warning")
            else:
                f.continueFailed(error)
        else:
            if f is not None:
                f.continueRun(value)

    with GearsSession(s):
        coroutines.start(run())


class GearsSession:
    """`with GearsSession(session):` code in a thread of its own acts for what `getGearsSession` gave."""

    def __init__(self, session: Any = None):
        self._session = session

    def __enter__(self) -> GearsSession:
        self._token = current.set(_acting_for(self._session or getGearsSession()))
        return self

    def __exit__(self, *error: Any) -> None:
        current.reset(self._token)


@in_c
def getGearsSession(*_: Any) -> Any:
    """What this code acts for; None in a thread that acts for nobody."""
    context = _context()
    return None if context.session is None else Acting(context.session, context.command)


@in_c
def setGearsSession(*arguments: Any) -> None:
    """`setGearsSession(session)`: act for what `getGearsSession` gave, or for nobody."""
    (session,) = _exactly_one(arguments, "Wrong number of args given to setGearsSession")
    current.set(_acting_for(session))


def _exactly_one(arguments: tuple[Any, ...], complaint: str) -> tuple[Any, ...]:
    if len(arguments) != 1:
        raise GearsError(complaint)
    return arguments


def _acting_for(acting: Any) -> Context:
    """The context of code that outlives the function that started it: it belongs to no script and no run."""
    if acting is None:
        return Context(caller=_gears.blocking)
    if not isinstance(acting, Acting):
        raise GearsError("Given object is not of type GearsSession")
    return Context(caller=_gears.blocking, session=acting.session, command=acting.command)


@in_c
def registerTE(*arguments: Any) -> bool:
    """`registerTE(seconds, callback, key=None)`: call `callback` every so many seconds.

    With `key` as long as that key exists, over restarts, too; else as long as this process lives.
    """
    if not 2 <= len(arguments) <= 3:
        raise GearsError("not enough arguments for time event")
    return timers.begin(_gears, *arguments)


def shardReaderCallback() -> Iterator[str]:
    """What the ShardsIDReader reads: the id of this shard, the only one."""
    yield "1"


def createKeysOnlyReader(
    pattern: Any = "*", count: Any = 1000, noScan: Any = False, patternGenerator: Any = None
) -> Callable[[], Iterator[Any]]:
    """A function for a PythonReader that does what a KeysOnlyReader does."""
    options = {"count": count, "noScan": noScan, "patternGenerator": patternGenerator}
    read = keys_only(pattern, options)

    def keysOnlyReader() -> Iterator[Any]:
        yield from read(_context().caller)

    return keysOnlyReader


def createFuture() -> GearsFuture:
    """A future that coroutines may wait for."""
    return coroutines.create_future()


def setFutureResults(future: GearsFuture, result: Any) -> None:
    """Give the future its value; from any thread."""
    coroutines.give(future, result)


def setFutureException(future: GearsFuture, exception: Any) -> None:
    """Let who waits for the future fail with this error, or with one of this text; from any thread."""
    failed = exception if isinstance(exception, Exception) else Exception(str(exception))
    coroutines.fail(future, failed)


@in_c
def registerGearsThread(*_: Any) -> None:
    """Nothing to do: any thread may call the runtime."""
