"""Running a script: what it may do, and what of it takes effect when it has ended."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

from minigears.executor.errors import GearsError, render, render_plainly
from minigears.executor.flow import readers
from minigears.executor.flow.executions import Execution
from minigears.executor.flow.readers import Source
from minigears.executor.flow.steps import Step
from minigears.executor.ids import to_id, to_number
from minigears.executor.names import script_globals
from minigears.executor.replies import CommandError
from minigears.executor.runs import run
from minigears.executor.script import args as arguments
from minigears.executor.script import checks
from minigears.executor.script.args import Args, CommandArgs, KeysArgs
from minigears.executor.script.pickling import Code, pickle_code
from minigears.executor.script.registrations import Registration, Session, Spec
from minigears.executor.script.registry import hooks_of
from minigears.executor.usercode.awaited import GearsFuture
from minigears.executor.usercode.calling import coroutines
from minigears.executor.usercode.context import Context, leave_if_forked, running

if TYPE_CHECKING:
    from minigears.executor.gears import Gears


class Script:
    """One script while it runs: collects what it asks to be run and registered."""

    def __init__(self, gears: Gears, session: Session, replaces: frozenset[str] = frozenset()):
        """`replaces`: ids of sessions whose registrations go when the script's come."""
        self._gears = gears
        self.session = session
        self.replaces = replaces
        self.requested_run: tuple[Source, list[Step]] | None = None
        self._run_future: weakref.ref[GearsFuture] | None = None
        self.unregistered: list[tuple[Registration, bool]] = []
        """Registrations that it took out, and whether what they run is to be aborted."""
        self.pieces: dict[str, bytes] = {}
        """The functions of each registration, as they were when it was made."""
        self._ended = False
        """Whether its text has run to the end: what it begins from now on begins at once."""

    def execute(self, source: bytes) -> None:
        """Run it to its end; raises CommandError with the error as RedisGears tells it.

        It is read as Python reads a file, so it may say how it is encoded.
        """
        code = _compile(source)
        context = Context(self._gears.blocking, self.session, settles=True, script=self)
        with running(context):
            try:
                self.session.globals = script_globals()
                exec(code, self.session.globals)
            except BaseException as error:
                raise CommandError(render(error)) from None
            finally:
                context.script = None
                leave_if_forked()

    def call_on_registered(self) -> list[bytes]:
        """Call each registration's `onRegistered`, before any of them takes effect.

        What that registers is the session's, too, and takes effect with the rest. Returns the
        functions of these, as they are to be stored.
        """
        self._ended, self.pieces = True, {}
        called: set[str] = set()
        context = Context(self._gears.blocking, self.session, script=self)
        while left := self.session.registrations.keys() - called:
            for name in sorted(left, key=lambda name: to_number(name) or 0):
                called.add(name)
                run.call_on_registered(self.session.registrations[name], context)
        return list(self.pieces.values())

    # what a GearsBuilder asks for

    def builder_made(self) -> None:
        """Every builder uses one id up."""
        self._gears.registration_ids.take()

    def request_run(
        self, reader: str, steps: Sequence[Step], arg: Any, options: Mapping[str, Any]
    ) -> GearsFuture:
        """Note the run that begins when the script has ended; the future brings its results and errors."""
        if self._ended:
            return _begin(self._gears, self.session, reader, steps, arg, options)
        if self.requested_run is not None:
            raise GearsError("Can not run more then 1 executions in a single script")
        self.requested_run = (readers.source(reader, arg, options, steps), list(steps))
        future = coroutines.create_future()
        self._run_future = weakref.ref(future)
        return future

    def begin_run(self) -> Execution:
        """Begin the run that was asked for, once the script has ended."""
        assert self.requested_run is not None
        execution = run.run_once(self._gears, self.session, *self.requested_run)
        future = self._run_future() if self._run_future is not None else None
        if future is not None:  # most scripts do not keep it
            _give_when_done(execution, future)
        return execution

    def request_registration(
        self, reader: str, desc: str | None, steps: Sequence[Step], options: Mapping[str, Any]
    ) -> str:
        """Make a registration that takes effect when the script has ended; returns its id."""
        registration, piece = self._make(reader, desc, steps, options)
        self.session.registrations[registration.id] = registration
        self.pieces[registration.id] = piece
        return registration.id

    def _make(
        self, reader: str, desc: str | None, steps: Sequence[Step], options: Mapping[str, Any]
    ) -> tuple[Registration, bytes]:
        mode, on_registered = arguments.mode(options), arguments.on_registered(options)
        args = arguments.parse(reader, options)
        self._check(args)
        number = to_id(self._gears.registration_ids.take())
        code = (list(steps), on_registered)
        piece = _pickled(number, code)
        spec = Spec(id=number, reader=reader, desc=desc, mode=mode, args=args)
        return Registration(spec, self.session, code), piece

    def _check(self, args: Args) -> None:
        """See that it can stand beside those there are; raises GearsError."""
        if isinstance(args, KeysArgs):
            checks.commands(self._gears.rules.table, args.commands or (), args.prefix)
        elif isinstance(args, CommandArgs) and args.trigger is not None:
            self._check_trigger(args.trigger)
        elif isinstance(args, CommandArgs) and args.hooked is not None:
            checks.hook(self._gears.rules.table, args.hooked, args.key_prefix)
            self._check_hook(args.hooked)

    def _check_trigger(self, name: str) -> None:
        if any(isinstance(r.args, CommandArgs) and r.args.trigger == name for r in self._mine()):
            raise GearsError("trigger already registered in this session")
        existing = self._gears.registry.trigger(name)
        if existing is not None and not self._goes(existing):
            raise GearsError("trigger already registered")

    def _check_hook(self, command: str) -> None:
        words = "Can not override a none sync registration"
        if any(not r.sync for r in hooks_of(self._mine(), command)):
            raise GearsError(f"{words} which already created on this session")
        standing = (r for r in self._gears.registry if not self._goes(r))
        if any(not r.sync for r in hooks_of(standing, command)):
            raise GearsError(words)

    def _mine(self) -> list[Registration]:
        return list(self.session.registrations.values())

    def _goes(self, registration: Registration) -> bool:
        """Whether it leaves when the script has ended."""
        return registration.leaving or registration.session.id in self.replaces


class Outside(Script):
    """What a GearsBuilder asks for when no script runs: it begins, or takes effect, at once."""

    def request_run(
        self, reader: str, steps: Sequence[Step], arg: Any, options: Mapping[str, Any]
    ) -> GearsFuture:
        """Begin the run; the future brings its results and errors."""
        return _begin(self._gears, self.session, reader, steps, arg, options)

    def request_registration(
        self, reader: str, desc: str | None, steps: Sequence[Step], options: Mapping[str, Any]
    ) -> str:
        """Make a registration of the session that the calling function belongs to."""
        registration, piece = self._make(reader, desc, steps, options)
        self._gears.add(registration, piece)
        run.call_on_registered(registration, Context(self._gears.blocking, self.session))
        return registration.id


def _begin(
    gears: Gears,
    session: Session,
    reader: str,
    steps: Sequence[Step],
    arg: Any,
    options: Mapping[str, Any],
) -> GearsFuture:
    source = readers.source(reader, arg, options, steps)
    future = coroutines.create_future()
    _give_when_done(run.run_once(gears, session, source, list(steps)), future)
    return future


def _give_when_done(execution: Execution, future: GearsFuture) -> None:
    def ended(execution: Execution) -> None:
        coroutines.give(future, [execution.results, execution.errors])

    execution.when_done(ended)


def _pickled(number: str, code: Code) -> bytes:
    """The functions of one registration; raises GearsError with the name of one that cannot be."""
    try:
        return pickle_code({number: code})
    except Exception as error:
        steps, on_registered = code
        functions = [f for step in steps for f in step.functions]
        functions += [on_registered] if on_registered is not None else []
        name = next((f.__name__ for f in functions if not _can_be_pickled(f)), "?")
        raise GearsError(
            f"Error occured when serialized a python callback, callback={name} error={error}"
        ) from None


def _can_be_pickled(function: Callable[..., Any]) -> bool:
    try:
        pickle_code({"": ([Step("map", (function,))], None)})
    except Exception:
        return False
    return True


def _compile(source: bytes) -> CodeType:
    try:
        return compile(source, "<string>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CommandError(render_plainly(error)) from None
