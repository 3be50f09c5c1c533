"""Registrations: a flow that runs for every event of its kind; and sessions, of which they are part."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Collection, Mapping
from typing import Any

from minigears.executor.flow.executions import Execution
from minigears.executor.redis.prefetch import Habits
from minigears.executor.requirements import Requirement
from minigears.executor.script import args as arguments
from minigears.executor.script.args import Args, CommandArgs, KeysArgs
from minigears.executor.script.pickling import Code, pickle_code
from minigears.executor.stats import Stats
from minigears.executor.streams import StreamArgs, StreamReaderRunner
from minigears.executor.usercode.calling import Profiler
from minigears.executor.usercode.context import Context

_ARGS: dict[str, type[Args]] = {
    "KeysReader": KeysArgs,
    "StreamReader": StreamArgs,
    "CommandReader": CommandArgs,
}


@dataclasses.dataclass
class Spec:
    """What is stored of a registration."""

    id: str
    reader: str
    desc: str | None
    mode: str
    args: Args

    def pack(self) -> dict[str, Any]:
        """As built-in types."""
        return {**vars(self), "args": dataclasses.asdict(self.args)}

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Spec:
        """From what `pack` returned."""
        return cls(**{**packed, "args": _ARGS[packed["reader"]](**packed["args"])})


class Registration:
    """A registration that is in force. Its functions are the script's own while the process lives."""

    def __init__(self, spec: Spec, session: Session, code: Code):
        self.spec = spec
        self.id = spec.id
        self.args: Any = spec.args
        self.session = session
        self.stats = Stats()
        self.runner: StreamReaderRunner | None = None
        self.leaving = False
        """A running script has taken it out: it stays in force until the script has ended."""
        self.last_type: str | None = None
        """The type of the key that it read last, which the next one probably has, too."""
        self.habits = Habits()
        self.steps, self.on_registered = code

    @property
    def sync(self) -> bool:
        """Whether it runs on the main thread, before the client has its reply."""
        return self.spec.mode == "sync"

    @property
    def marked(self) -> bool:
        """Whether its own writes raise no KeysReader events."""
        return self.sync and self.spec.reader == "KeysReader"

    def wants(self, key: bytes, event: str) -> bool:
        """Whether it is a KeysReader registration about this event of this key."""
        if self.spec.reader != "KeysReader":
            return False
        prefix, exact = cut(self.args.prefix)
        types = self.args.event_types
        if types is not None and event not in {name.lower() for name in types}:
            return False
        return key == prefix if exact else key.startswith(prefix)

    def data(self) -> list[Any]:
        """The field `RegistrationData` of `RG.DUMPREGISTRATIONS`."""
        is_stream = self.spec.reader == "StreamReader"
        running_ms = self.runner.lag_ms if self.runner is not None else 0.0
        shown = ["mode", self.spec.mode, *self.stats.fields(is_stream, running_ms)]
        shown += ["args", arguments.fields(self.args)]
        if self.runner is not None:
            shown += ["status", self.runner.status.value]
        return shown

    def describe(self) -> list[Any]:
        """The fields that `RG.DUMPREGISTRATIONS` and `RG.PYDUMPSESSIONS VERBOSE` both show."""
        shown = ["id", self.id, "reader", self.spec.reader, "desc", self.spec.desc]
        return [*shown, "RegistrationData", self.data()]


@dataclasses.dataclass
class Session:
    """What one script asked for, and what it registered."""

    id: str
    description: str | None = None
    requirements: list[Requirement] = dataclasses.field(default_factory=list)
    installed: bool = False
    """Whether requirements had to be installed for it."""
    registrations: dict[str, Registration] = dataclasses.field(default_factory=dict)
    profiler: Profiler = dataclasses.field(default_factory=Profiler)
    code: list[bytes] = dataclasses.field(default_factory=list)
    """The functions as they are stored, from `pickle_code`: one piece, or a piece a registration."""
    globals: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What all its functions know as their globals."""
    runs: list[Execution] = dataclasses.field(default_factory=list)
    """What it began to run, and what ran on of registrations that were taken out; some may have ended."""

    def began(self, execution: Execution) -> None:
        """Note a run of its own, or of a registration that goes; others are known by their registrations."""
        self.runs = [*(run for run in self.runs if not run.done), execution]

    def seal(self, pieces: Mapping[str, bytes]) -> None:
        """Note the functions as they are to be stored, all in one piece that shares its globals.

        What cannot be pickled any more, as a script may have put a connection into its globals, is
        stored as it was when it registered: `pieces`, by id.
        """
        code = {r.id: (r.steps, r.on_registered) for r in self.registrations.values()}
        try:
            self.code = [pickle_code(code)]
        except Exception:
            self.code += [pieces[name] for name in code if name in pieces]

    def pack(self, without: Collection[str] = ()) -> bytes:
        """The session as it is stored, but for these registrations."""
        return pickle.dumps(
            {
                "id": self.id,
                "description": self.description,
                "installed": self.installed,
                "requirements": [requirement.name for requirement in self.requirements],
                "code": self.code,
                "registrations": [
                    r.spec.pack() for r in self.registrations.values() if r.id not in without
                ],
            }
        )

    def _references(self) -> int:
        """Registrations in force, those that are gone but still run, and runs of their own."""
        gone = {run.registration or str(run.number) for run in list(self.runs) if not run.done}
        return len(self.registrations.keys() | gone)

    def literal(self) -> str:
        """The field `PD`, a Python literal: clients evaluate it."""
        return repr(
            {
                "sessionName": self.id,
                "sessionDescription": self.description or "null",
                "refCount": self._references(),
                "linkedTo": "primary",
                "dead": False,
                "isInstallationNeeded": int(self.installed),
                "registrationsList": list(self.registrations),
                "depsList": [
                    {"name": r.name, "basePath": str(r.path), "wheels": list(r.wheels)}
                    for r in self.requirements
                ],
            }
        )

    def dump(
        self, requirements: list[Any], registrations: list[Any], dead: bool = False
    ) -> list[Any]:
        """One element of the reply of `RG.PYDUMPSESSIONS`."""
        shown: list[Any] = ["ID", self.id, "sessionDescription", self.description]
        linked, state = ("None", "true") if dead else ("primary", "false")
        shown += ["refCount", self._references(), "linked", linked, "dead", state]
        shown += ["requirementInstallationNeeded", int(self.installed)]
        return [*shown, "requirements", requirements, "registrations", registrations]

    @staticmethod
    def of(context: Context | None) -> Session | None:
        """The session that the code in a context acts for."""
        session = context.session if context is not None else None
        assert session is None or isinstance(session, Session)
        return session


def cut(prefix: str) -> tuple[bytes, bool]:
    """A trailing `*` makes a prefix, else the key is exact."""
    raw = prefix.encode()
    return (raw[:-1], False) if raw.endswith(b"*") else (raw, True)
