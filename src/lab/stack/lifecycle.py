"""`lab.up()` and its family: one set of verbs, whichever stack they act on."""

from __future__ import annotations

import contextlib
import os
import platform
from types import ModuleType

from lab import command, paths
from lab.errors import LabError
from lab.names import DATABASE
from lab.report import say
from lab.stack import containers, databases, external
from lab.stack.containers.engine import is_likely
from lab.stack.embedded import running as embedded
from lab.stack.embedded.services import SERVICES
from lab.stack.embedded.statefile import State
from lab.stack.gears import risks, unregister_all
from lab.stack.model import Row, Stack, Status, hide_password
from lab.stack.ondemand import keeper
from lab.stack.ports import LOOPBACK

KINDS = ("embedded", "containers", "external")

_NO_MODULES = (
    f"RedisJSON and RediSearch have no wheel for {platform.system()} on {platform.machine()}"
)

_current: Stack | None = None


def up(kind: str | None = None) -> Stack:
    """Start the stack, or find the one that runs, and return it once it is ready.

    `kind` is "embedded", "external" or "containers"; by default what `LAB_STACK` says, else
    "embedded", or "containers" where Redis's modules have no wheel and there is Docker. Whatever is
    broken is mended, with a line that says so. Raises LabError with what to do when it cannot be.
    """
    global _current
    if (
        kind is None
        and _current is None
        and not os.environ.get("LAB_STACK")
        and _default() != "embedded"
    ):
        say(
            f"{_NO_MODULES}, so the stack runs in containers. LAB_STACK=embedded does without them."
        )
    kind = _kind(kind)
    stack = _UP[kind]()
    if stack != _current:  # else keep the clients that notebooks hold
        _current = stack
    _commands_on_path()
    for risk in risks(_current):
        say(f"A setting of Redis endangers what recipes promise. {risk}")
    return _current


def current() -> Stack:
    """Return the stack that this kernel uses, after `up()` if it uses none yet."""
    return _current or up()


def fit_to_print(line: str) -> str:
    """Return a terminal line without the password of this kernel's stack."""
    return _current.fit_to_print(line) if _current else line


def down(data: bool = False) -> None:
    """Stop this kernel's stack, or the one that LAB_STACK names, and no other.

    Its data stay, and `up()` finds them again; unless `data` is to go, too: then it says what it
    deletes. Containers are found by their labels, whoever started them. What notebooks have started
    beside the stack ends, and its data go.
    """
    global _current
    kind = _kind(None)
    beside = keeper.end_all(paths.home())
    if kind == "external":
        if beside:
            say(f"Stopped: {', '.join(beside)}.")
        say("The external stack was not started by the lab, so it is left running.")
    else:
        stopped = beside + (containers if kind == "containers" else embedded).down(data)
        say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
        _name_the_others(kind)
    _current = None


def _name_the_others(kind: str) -> None:
    """Say which stack of this folder runs besides, and how to stop it."""
    with contextlib.suppress(LabError):  # no Docker that this user can reach, so no containers
        asks = {"embedded": True, "containers": is_likely()}
        for other in asks:
            if other != kind and asks[other] and any(_runs(row) for row in _STATUS[other]().rows):
                say(f"The {other} stack still runs: LAB_STACK={other} {command.line('down')}")


def _runs(row: Row) -> bool:
    return row.status == "running"


def status() -> Status:
    """Return what runs where, without starting anything."""
    return _STATUS[_kind(None)]()


def reset() -> None:
    """Empty Redis, registrations included, and the course's database. Processes keep running."""
    stack = current()
    unregister_all(stack)
    stack.redis.flushdb()
    databases.drop(stack.mongo, DATABASE)


def what_reset_empties() -> str:
    """Name the stores that `reset` empties, for whoever has to say yes first."""
    stack = current()
    return (
        f"This empties the {stack.kind} stack:\n"
        f"  every key of database 0 in Redis at {hide_password(stack.redis_url)}\n"
        f"  the database {DATABASE} in MongoDB at {hide_password(stack.mongo_url)}"
    )


def stop(service: str) -> None:
    """Stop one service ("redis", "minigears" or "mongo") in order; returns when it is gone.

    In containers Gears is inside Redis, so there are two: "redis" and "mongo".
    """
    _runner("lab.stop()").stop(service)


def start(service: str) -> None:
    """Start one service again, on the same port; returns when it is ready."""
    _runner("lab.start()").start(service)


def kill(service: str) -> None:
    """End one service at once, as a crash would (SIGKILL); returns when it is gone."""
    _runner("lab.kill()").kill(service)


def log_command(service: str, lines: int, follow: bool) -> list[str]:
    """Return the words that show the last `lines` of a service's log, and go on if asked to."""
    return list(_runner("lab logs").log_command(service, lines, follow))


def kind() -> str:
    """Return the kind of this kernel's stack, or of the one that `up()` would start."""
    return _kind(None)


def _kind(kind: str | None) -> str:
    if kind is None:
        kind = _current.kind if _current else os.environ.get("LAB_STACK") or _default()
    if kind not in KINDS:
        raise LabError(f"There is no stack {kind!r}; there are: {', '.join(KINDS)}.")
    return kind


def _default() -> str:
    """Return the kind of stack for who names none: the one that this machine can run whole."""
    lacks = set(paths.MODULES) - set(paths.redis_modules())
    return "containers" if lacks and is_likely() else "embedded"


def _runner(action: str) -> ModuleType:
    """Return the module that runs the parts of this kernel's stack. Raises Unsupported."""
    kind = _kind(None)
    if kind == "external":
        external.refuse(action)
    return containers if kind == "containers" else embedded


def _containers_up() -> Stack:
    where = containers.up()
    return Stack(
        kind="containers",
        redis_url=f"redis://{LOOPBACK}:{where.redis_port}",
        redis_direct_url=f"redis://{LOOPBACK}:{where.direct_port}",
        # A replica set of one, since change streams need one. Its member is called mongo:27017, a name
        # that only containers can follow.
        mongo_url=f"mongodb://{LOOPBACK}:{where.mongo_port}/?directConnection=true",
        recipe_mongo_url="mongodb://mongo:27017",
        status=containers.status,
        redis_container=where.redis_container,
    )


def _embedded_up() -> Stack:
    return _embedded_stack(embedded.up())


def _embedded_stack(state: State) -> Stack:
    redis_port = state.services["redis"].port
    front = state.services.get("minigears", state.services["redis"])
    mongo_url = f"mongodb://{LOOPBACK}:{state.services['mongo'].port}"
    return Stack(
        kind="embedded",
        redis_url=f"redis://{LOOPBACK}:{front.port}",
        redis_direct_url=f"redis://{LOOPBACK}:{redis_port}",
        mongo_url=mongo_url,
        recipe_mongo_url=mongo_url,
        status=_embedded_status,
    )


def _embedded_status() -> Status:
    rows = []
    for name, known in embedded.status().services.items():
        state = "running" if known.proc else "stopped"
        pid = known.proc.pid if known.proc else None
        rows.append(Row(SERVICES[name].title, f"{LOOPBACK}:{known.port}", state, pid))
    return Status("embedded", rows)


def _commands_on_path() -> None:
    """Let `!redis-cli` and `!gears-cli` in a notebook find this environment's commands."""
    folder = str(paths.scripts())
    known = os.environ.get("PATH", "").split(os.pathsep)
    if folder not in known:
        os.environ["PATH"] = os.pathsep.join([folder, *known])


_UP = {"embedded": _embedded_up, "containers": _containers_up, "external": external.up}
_STATUS = {
    "embedded": _embedded_status,
    "containers": containers.status,
    "external": external.status,
}
