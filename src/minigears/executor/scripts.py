"""Running a script: what it may do, and what of it takes effect when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

from minigears.executor import args as arguments
from minigears.executor import readers
from minigears.executor.args import MODES, CommandArgs
from minigears.executor.context import Context, leave_if_forked
from minigears.executor.errors import GearsError, render, render_syntax_error
from minigears.executor.ids import to_id
from minigears.executor.readers import Source
from minigears.executor.registrations import Registration, Spec, pickle_code
from minigears.executor.replies import CommandError
from minigears.executor.runtime import running, script_globals
from minigears.executor.sessions import Session
from minigears.executor.steps import Step

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
        self.unregistered: list[tuple[Registration, bool]] = []
        """Registrations that it took out, and whether what they run is to be aborted."""

    def execute(self, source: str) -> None:
        """Run it to its end; raises CommandError with the error as RedisGears tells it."""
        code = _compile(source)
        context = Context(caller=self._gears.blocking, session=self.session, script=self)
        with running(context):
            try:
                exec(code, script_globals())
                self._call_on_registered()
            except BaseException as error:
                raise CommandError(render(error)) from None
            finally:
                context.script = None
                leave_if_forked()

    def _call_on_registered(self) -> None:
        for registration in self.session.registrations.values():
            if registration.on_registered is not None:
                registration.on_registered()

    # what a GearsBuilder asks for

    def builder_made(self) -> None:
        """Every builder uses one id up."""
        self._gears.registration_ids.take()

    def request_run(
        self, reader: str, steps: Sequence[Step], arg: Any, options: Mapping[str, Any]
    ) -> None:
        """Note the run that begins when the script has ended."""
        if self.requested_run is not None:
            raise GearsError("Can not run more then 1 executions in a single script")
        self.requested_run = (readers.source(reader, arg, options), list(steps))

    def request_registration(
        self, reader: str, desc: str | None, steps: Sequence[Step], options: Mapping[str, Any]
    ) -> str:
        """Make a registration that takes effect when the script has ended; returns its id."""
        mode = options.get("mode", "async")
        if mode not in MODES:
            raise GearsError("unknown execution mode")
        args = arguments.parse(reader, options)
        if isinstance(args, CommandArgs) and args.trigger is not None:
            self._check_trigger(args.trigger)
        spec = Spec(
            id=to_id(self._gears.registration_ids.take()),
            reader=reader,
            desc=desc,
            mode=mode,
            args=args,
            code=pickle_code(steps, options.get("onRegistered")),
        )
        self.session.registrations[spec.id] = Registration(spec, self.session)
        return spec.id

    def _check_trigger(self, name: str) -> None:
        existing = self._gears.registry.trigger(name)
        mine = [r.args for r in self.session.registrations.values()]
        taken = (
            existing is not None
            and not existing.leaving
            and existing.session.id not in self.replaces
        )
        if taken or any(isinstance(a, CommandArgs) and a.trigger == name for a in mine):
            raise GearsError("trigger already registered")


def _compile(source: str) -> CodeType:
    try:
        return compile(source, "<string>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CommandError(render_syntax_error(error)) from None
