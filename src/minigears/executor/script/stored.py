"""Sessions as they are stored."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minigears.executor.requirements import Requirement
from minigears.executor.script.pickling import Code, unpickle_code
from minigears.executor.script.registrations import Registration, Session, Spec


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
