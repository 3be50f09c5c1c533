"""Arguments of `register`, checked, for each reader that can be registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minigears.executor.errors import GearsError
from minigears.executor.streams import StreamArgs

MODES = ("async", "async_local", "sync")
_INT64 = 2**63
_POLICIES = ("continue", "abort", "retry")


@dataclass(frozen=True)
class KeysArgs:
    """What a KeysReader registration listens to; event types, key types and commands: None is all."""

    prefix: str
    event_types: tuple[str, ...] | None
    key_types: tuple[str, ...] | None
    commands: tuple[str, ...] | None
    read_value: bool

    def fields(self) -> list[Any]:
        """The names and values that `RG.DUMPREGISTRATIONS` shows."""
        return [
            *["regex", self.prefix, "eventTypes", _listed(self.event_types)],
            *["keyTypes", _listed(self.key_types), "hookCommands", _listed(self.commands)],
        ]


@dataclass(frozen=True)
class CommandArgs:
    """A trigger's name, or the command that a hook stands in front of and the keys it is for."""

    trigger: str | None
    hook: str | None
    key_prefix: str | None
    inorder: bool

    def fields(self) -> list[Any]:
        """The names and values that `RG.DUMPREGISTRATIONS` shows."""
        shown = ["trigger", self.trigger or self.hook, "inorder", int(self.inorder)]
        return shown + (["keyprefix", self.key_prefix] if self.key_prefix else [])


Args = KeysArgs | StreamArgs | CommandArgs


def fields(args: Args) -> list[Any]:
    """The names and values of the arguments that `RG.DUMPREGISTRATIONS` shows."""
    if not isinstance(args, StreamArgs):
        return args.fields()
    return [
        *["batchSize", args.batch, "durationMS", args.duration, "stream", args.prefix],
        *["trimStream", int(args.trim_stream), "onFailedPolicy", args.on_failed_policy],
        *["retryInterval", int(args.on_failed_retry_interval)],
    ]


def parse(reader: str, given: Mapping[str, Any]) -> Args:
    """Check what `register` was given; raises GearsError with RedisGears's words."""
    if reader == "KeysReader":
        return _keys(given)
    if reader == "StreamReader":
        return _stream(given)
    if reader == "CommandReader":
        return _command(given)
    raise GearsError("given reader does not exists or does not support register")


def _keys(given: Mapping[str, Any]) -> KeysArgs:
    return KeysArgs(
        prefix=_text(given, "prefix", "*"),
        event_types=_texts(given, "eventTypes"),
        key_types=_texts(given, "keyTypes"),
        commands=_texts(given, "commands"),
        read_value=_flag(given, "readValue", True),
    )


def _stream(given: Mapping[str, Any]) -> StreamArgs:
    policy = _text(given, "onFailedPolicy", "continue").lower()
    if policy not in _POLICIES:
        raise GearsError("onFailedPolicy must be Continue/Abort/Retry")
    try:
        return StreamArgs(
            prefix=_text(given, "prefix", "*"),
            batch=_number(given, "batch", 1),
            duration=_number(given, "duration", 0),
            on_failed_policy=policy,
            on_failed_retry_interval=_number(given, "onFailedRetryInterval", 1),
            trim_stream=_flag(given, "trimStream", True),
        )
    except ValueError as error:
        raise GearsError(str(error)) from error


def _command(given: Mapping[str, Any]) -> CommandArgs:
    trigger, hook = given.get("trigger"), given.get("hook")
    if trigger is None and hook is None:
        raise GearsError("no trigger or hook argument was given")
    if trigger is not None and hook is not None:
        raise GearsError("can not specify both trigger and hook")
    return CommandArgs(
        trigger=None if trigger is None else _text(given, "trigger", ""),
        hook=None if hook is None else _text(given, "hook", "").lower(),
        key_prefix=None if given.get("keyprefix") is None else _text(given, "keyprefix", "*"),
        inorder=_flag(given, "inorder", False),
    )


def _text(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise GearsError(f"{name} argument must be a string")
    return _utf8(value, name)


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise GearsError(f"{name} argument must be a list of strings")
    return tuple(_utf8(text, name) for text in value)


def _utf8(text: str, name: str) -> str:
    """The text, if Redis can have it; a script may write half a character as `\\udcff`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise GearsError(f"{name} argument must be text that is UTF-8, not {text!a}") from None
    return text


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise GearsError(f"{name} argument must be a number")
    return value


def _flag(given: Mapping[str, Any], name: str, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise GearsError(f"{name} argument must be a boolean")
    return value


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
