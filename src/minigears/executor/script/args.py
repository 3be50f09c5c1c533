"""Arguments of `register`, checked, for each reader that can be registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minigears.executor.errors import GearsError
from minigears.executor.functions import is_function
from minigears.executor.streams import StreamArgs

MODES = ("async", "async_local", "sync")
_INT64 = 2**63
_KEY_TYPES = frozenset(["empty", "string", "list", "hash", "set", "zset", "module", "stream"])
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

    @property
    def hooked(self) -> str | None:
        """The hook's command in small letters: Redis finds it without regard to case."""
        return None if self.hook is None else self.hook.lower()

    def fields(self) -> list[Any]:
        """The names and values that `RG.DUMPREGISTRATIONS` shows."""
        name = self.hook if self.trigger is None else self.trigger
        return ["trigger", name, "inorder", int(self.inorder)]


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


def mode(given: Mapping[str, Any]) -> str:
    """The mode that `register` was given; raises GearsError."""
    value = given.get("mode", "async")
    if not isinstance(value, str):
        raise GearsError("execution mode must be a string")
    if value not in MODES:
        raise GearsError("unknown execution mode")
    return value


def on_registered(given: Mapping[str, Any]) -> Callable[[], Any] | None:
    """The function that `register` was given for the moment of taking effect; raises GearsError."""
    function = given.get("onRegistered")
    if not (function is None or is_function(function)):
        raise GearsError("OnRegistered argument must be a function")
    return function


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
    prefix, event_types = _prefix(given), _texts(given, "eventTypes", "event")
    key_types = _texts(given, "keyTypes", "key")
    if set(key_types or ()) - _KEY_TYPES:
        raise GearsError("unknown key type")
    read_value = _flag(given, "readValue", True, "readValue is not boolean")
    commands = _texts(given, "commands", "command") or None
    return KeysArgs(prefix, event_types, key_types, commands, read_value)


def _stream(given: Mapping[str, Any]) -> StreamArgs:
    policy = given.get("onFailedPolicy", "continue")
    if not isinstance(policy, str):
        raise GearsError("onFailedPolicy must be a string (Continue/Abort/Retry)")
    policy = policy.lower()
    if policy not in _POLICIES:
        raise GearsError("onFailedPolicy must be Continue/Abort/Retry")
    if given.get("mode") == "sync" and policy != "continue":
        raise GearsError("ExecutionMode sync can only be combined with OnFailedPolicy Continue")
    trim = "pyTrimmStream argument must be a boolean"
    try:
        return StreamArgs(
            prefix=_prefix(given),
            batch=_number(given, "batch", 1, "batch"),
            duration=_number(given, "duration", 0, "duration"),
            on_failed_policy=policy,
            on_failed_retry_interval=_number(given, "onFailedRetryInterval", 1, "retryInterval"),
            trim_stream=_flag(given, "trimStream", True, trim),
        )
    except ValueError as error:
        raise GearsError(str(error)) from None


def _command(given: Mapping[str, Any]) -> CommandArgs:
    trigger = _word(given, "trigger")
    inorder = _flag(given, "inorder", False, "inorder argument is be boolean")
    key_prefix, hook = _word(given, "keyprefix"), _word(given, "hook")
    if trigger is not None and (key_prefix is not None or hook is not None):
        raise GearsError("trigger argument can not be given with keyprefix or hook")
    if trigger is None and hook is None:
        raise GearsError("no trigger or hook argument was given")
    return CommandArgs(trigger, hook, key_prefix, inorder)


def _prefix(given: Mapping[str, Any]) -> str:
    value = given.get("prefix", "*")
    if not isinstance(value, str):
        raise GearsError("regex argument must be a string")
    return _utf8(value, "regex")


def _word(given: Mapping[str, Any], name: str) -> str | None:
    if name not in given:
        return None
    value = given[name]
    if not isinstance(value, str):
        raise GearsError(f"{name} argument is not string")
    return _utf8(value, name)


def _texts(given: Mapping[str, Any], name: str, what: str) -> tuple[str, ...] | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        texts = tuple(value)
    except TypeError:
        raise GearsError(f"given {name} is not iterable") from None
    if not all(isinstance(text, str) for text in texts):
        raise GearsError(f"given {what} type is not string")
    return tuple(_utf8(text, name) for text in texts)


def _utf8(text: str, name: str) -> str:
    """The text, if Redis can have it; a script may write half a character as `\\udcff`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise GearsError(f"{name} argument must be text that is UTF-8, not {text!a}") from None
    return text


def _number(given: Mapping[str, Any], name: str, default: int, told: str) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise GearsError(f"{told} argument must be a number")
    return int(value)


def _flag(given: Mapping[str, Any], name: str, default: bool, complaint: str) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise GearsError(complaint)
    return value


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
