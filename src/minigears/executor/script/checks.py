"""Which commands a registration may stand in front of, or watch by name. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from minigears.commandtable import Command, CommandTable
from minigears.executor.errors import GearsError

_UNKNOWN = {
    "override": "Can not override an unexisting command",
    "hook": "bad reply on COMMAND command",
}


def hook(table: CommandTable, name: str, key_prefix: str | None) -> None:
    """Check a hook's command; raises GearsError with RedisGears's words."""
    command = _find(table, name, "override")
    if key_prefix is not None:
        _check_keys(command, "override")


def commands(table: CommandTable, names: Iterable[str], prefix: str) -> None:
    """Check the commands of a KeysReader and the prefix of its keys; raises GearsError."""
    for name in names:
        _check_keys(_find(table, name, "hook"), "hook")
        if not prefix:
            raise GearsError("Empty perfix given to command hooker")


def _find(table: CommandTable, name: str, verb: str) -> Command:
    command = table.find([name.encode()])
    if command is None:
        raise GearsError(_UNKNOWN[verb])
    if command.outside_scripts:
        raise GearsError(f"Can not {verb} a command which are not allowed inside a script")
    return command


def _check_keys(command: Command, verb: str) -> None:
    if command.movable_keys:
        raise GearsError(f"Can not {verb} a command with moveable keys by key prefix")
    if not command.specs:
        raise GearsError(f"Can not {verb} a command by key prefix with none positive first key")
