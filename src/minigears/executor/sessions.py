"""Sessions: a script's requirements and registrations, which come and go together."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from minigears.executor.registrations import Registration, Spec
from minigears.executor.requirements import Requirement
from minigears.executor.running import Profiler


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

    def pack(self, without: Collection[str] = ()) -> bytes:
        """The session as it is stored, but for these registrations."""
        return pickle.dumps(
            {
                "id": self.id,
                "description": self.description,
                "installed": self.installed,
                "requirements": [requirement.name for requirement in self.requirements],
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

    def dump(self, requirements: list[Any], registrations: list[Any]) -> list[Any]:
        """One element of the reply of `RG.PYDUMPSESSIONS`."""
        shown: list[Any] = ["ID", self.id, "sessionDescription", self.description]
        shown += ["refCount", len(self.registrations), "linked", "primary", "dead", "false"]
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
        )

    def restore(self, requirements: Iterable[Requirement]) -> Session:
        """Load the functions; raises whatever loading them raises."""
        session = Session(self.id, self.description, list(requirements), self.installed)
        for spec in self.specs:
            session.registrations[spec.id] = Registration(spec, session)
        return session
