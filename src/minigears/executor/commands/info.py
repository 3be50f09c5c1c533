"""What RedisGears shows of itself in `INFO`: sections, of fields that may have fields of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from minigears.executor.commands import misc
from minigears.executor.commands.requirements import describe

if TYPE_CHECKING:
    from minigears.executor.gears import Gears
    from minigears.executor.script.registrations import Registration

Fields = Mapping[str, Any]


def info(gears: Gears, words: list[bytes]) -> str:
    """`INFO` with the sections that are asked for: `rg`, which is all of them, or names of single ones."""
    asked = {word.decode("utf-8", "replace").lower() for word in words}
    every = not asked.isdisjoint({"rg", "modules", "everything"})
    shown = [
        f"# {name}\r\n" + "".join(_lines(fields(gears)))
        for name, fields in _SECTIONS.items()
        if every or name in asked
    ]
    return "\r\n".join(shown)


def _totals(gears: Gears) -> Fields:
    return {
        "nexecutions": len(list(gears.executions)),
        "nregistrations": len(list(gears.registry)),
    }


def _registrations(gears: Gears) -> Fields:
    return {registration.id: _registration(registration) for registration in gears.registry}


def _registration(registration: Registration) -> Fields:
    shown: dict[str, Any] = {"desc": registration.spec.desc, "reader": registration.spec.reader}
    for name, value in _pairs(registration.data()):
        shown |= dict(_pairs(value)) if name == "args" else {name: value}
    return {**shown, "PD": registration.session.literal().replace(",", "|")}


def _plugins(gears: Gears) -> Fields:
    return {name: {"version": version} for name, version in misc.dump_plugins(gears, [])}


def _stats(gears: Gears) -> Fields:
    return dict(_pairs(misc.stats(gears, [])))


def _requirements(gears: Gears) -> Fields:
    described = [dict(_pairs(describe(gears, one))) for one in gears.requirements.all()]
    left_out = ("GearReqVersion", "Name")
    return {
        fields["Name"]: {name: value for name, value in fields.items() if name not in left_out}
        for fields in described
    }


def _sessions(gears: Gears) -> Fields:
    sessions = [session for _, session in sorted(gears.sessions.items())]
    return {session.id: session.literal() for session in [*sessions, *gears.dead_sessions()]}


_SECTIONS: dict[str, Callable[[Gears], Fields]] = {
    "rg": _totals,
    "rg_regisrations": _registrations,  # as RedisGears spells it
    "rg_plugins": _plugins,
    "rg_python_stats": _stats,
    "rg_python_requirements": _requirements,
    "rg_python_sessions": _sessions,
}


def _pairs(flat: list[Any]) -> Iterable[tuple[str, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _lines(fields: Fields) -> Iterable[str]:
    for name, value in fields.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        told = ",".join(f"{key}={_text(one)}" for key, one in inner) if inner else _text(value)
        yield f"rg_{name}:{told}\r\n"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + "|".join(_text(one) for one in value) + "]"
    return str(value).replace("\r", " ").replace("\n", " ")
