"""Sessions: a script's requirements and registrations, which come and go together."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minigears.executor.requirements import Requirement
from minigears.executor.script.pickling import Code, pickle_code, unpickle_code
from minigears.executor.script.registrations import Registration, Spec
from minigears.executor.usercode.calling import Profiler


@dataclass
class Session:
    """What one script asked for, and what it registered."""

    id: str
    description: str | None = None
    requirements: list[Requirement] = field(default_factory=list)
    installed: bool = False
    """Whether requirements had to be installed for it."""
    registrations: dict[str, Registration] = field(default_factory=dict)
    profiler: Profiler = field(default_factory=Profiler)
    code: list[bytes] = field(default_factory=list)
    """The functions as they are stored, from `pickle_code`: one piece, or a piece a registration."""
    globals: dict[str, Any] = field(default_factory=dict)
    """What all its functions know as their globals."""

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

    def literal(self) -> str:
        """The field `PD`, a Python literal: clients evaluate it."""
        return repr(
            {
                "sessionName": self.id,
                "sessionDescription": self.description or "null",
                "refCount": len(self.registrations),
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
        shown += ["refCount", len(self.registrations), "linked", linked, "dead", state]
        shown += ["requirementInstallationNeeded", int(self.installed)]
        return [*shown, "requirements", requirements, "registrations", registrations]


@dataclass(frozen=True)
class StoredSession:
    """A session as it was stored, before its requirements are there and its code is loaded."""

    id: str
    description: str | None
    installed: bool
    requirements: list[str]
    specs: list[Spec]
    code: list[bytes]

    @classmethod
    def unpack(cls, data: bytes) -> StoredSession:
        """From what `Session.pack` returned."""
        stored = pickle.loads(data)
        return cls(
            id=stored["id"],
            description=stored["description"],
            installed=stored["installed"],
            requirements=stored["requirements"],
            specs=[Spec.unpack(packed) for packed in stored["registrations"]],
            code=stored["code"],
        )

    def restore(self, requirements: Iterable[Requirement], names: dict[str, Any]) -> Session:
        """Load the functions, whose globals are `names` and more; raises whatever loading them raises."""
        session = Session(self.id, self.description, list(requirements), self.installed)
        session.code, session.globals = self.code, names
        code: dict[str, Code] = {}
        for piece in self.code:
            code |= unpickle_code(piece, names)
        for spec in self.specs:
            session.registrations[spec.id] = Registration(spec, session, code[spec.id])
        return session
