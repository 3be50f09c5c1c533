"""The executor's main: restore what is stored, then serve the two links until the door is gone."""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from minigears import logs
from minigears.address import Address
from minigears.executor import commands, names, replies
from minigears.executor.errors import GearsError
from minigears.executor.events import Events
from minigears.executor.gears import Gears
from minigears.executor.redis.calls import mark_with
from minigears.executor.redis.connection import BlockingConnection, RedisError
from minigears.executor.redis.sessionstore import StoreError
from minigears.executor.restoring import Restoring
from minigears.executor.runs.run import run_batch
from minigears.executor.script import flatexecution
from minigears.executor.script.registrations import Session
from minigears.executor.script.run import Outside
from minigears.executor.usercode import interrupt
from minigears.executor.usercode.context import Context
from minigears.link import Link, LinkClosed
from minigears.marks import new_secret

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds for Redis to be there
_PAUSE = 0.05  # seconds between two attempts
_CIRCLES = 10_000
"""New objects after which Python looks for circles, where it would at 700. Events that are on their way together have
more than those: each look would take them for objects that stay, and so look through the whole heap ever so often."""
_PASSWORD = "MINIGEARS_REDIS_PASSWORD"
_PREVIOUS_PASSWORD = "MINIGEARS_PREVIOUS_PASSWORD"
_SECRET = "MINIGEARS_MARKS"


def main(argv: Sequence[str] | None = None) -> None:
    """Run an executor; the door starts it with `python -m minigears.executor …`."""
    options = _options(argv)
    logs.configure(options.log_level, options.log_format)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what functions print is a log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the door's business
    address = Address.parse(options.redis).with_password(os.environ.pop(_PASSWORD, None))
    previous = os.environ.pop(_PREVIOUS_PASSWORD, None)
    mark_with(os.environ.pop(_SECRET, "") or new_secret())
    control = Link.from_fd(options.control_fd)
    events = Link.from_fd(options.events_fd)
    try:
        _wait_for_redis(address)
        _serve(Gears(address, options.cache, run_batch, previous), control, events)
    except (LinkClosed, KeyboardInterrupt):
        _leave(0)
    except (OSError, RedisError, StoreError) as error:
        log.error("the executor ends: %s", error)
        _leave(1)


def _wait_for_redis(address: Address) -> None:
    """Redis may be starting, too, or loading its data; raises OSError or RedisError in the end."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = BlockingConnection(address)
            connection.call("TYPE", "__minigears__")  # refused while it loads its data
            connection.close()
            return
        except (OSError, RedisError) as error:
            starting = isinstance(error, OSError) or str(error).startswith("LOADING")
            if not starting or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def prepare(gears: Gears) -> None:
    """Let user code, commands and signals of this process act on `gears`; the collector comes seldom."""
    gc.set_threshold(_CIRCLES)
    names.install(gears)
    flatexecution.outside = lambda context: Outside(gears, _session_of(context))
    commands.install(gears)
    interrupt.install()


def _serve(gears: Gears, control: Link, events: Link) -> None:
    prepare(gears)
    gears.on_interest = lambda interest: control.send(("interest", interest))
    Restoring(gears).restore()
    threading.Thread(
        target=_serve_control, args=(gears, control), name="minigears-control", daemon=True
    ).start()
    threading.Thread(target=gears.keep_stored, name="minigears-stored", daemon=True).start()
    Events(gears, events).serve()


def _session_of(context: Context | None) -> Session:
    """The session that code belongs to; raises GearsError in a thread that nobody has told."""
    session = Session.of(context)
    if session is None:
        raise GearsError("Can not create a gearsCtx on a python created thread")
    return session


def _serve_control(gears: Gears, control: Link) -> None:
    """Answer commands; what takes long goes on elsewhere and is answered later."""
    try:
        while True:
            _, number, argv, client = control.receive()
            _answer(gears, control, number, argv, client)
    except LinkClosed:
        _leave(0)
    except BaseException:
        log.exception("the control thread failed")
        _leave(1)


def _answer(
    gears: Gears, control: Link, number: int, argv: list[bytes], client: dict[str, Any]
) -> None:
    resp = client.get("resp", 2)

    def send(reply: Any) -> None:
        control.send(("reply", number, replies.encode(reply, resp)))

    reply = commands.call(gears, argv, client.get("multi", False))
    if isinstance(reply, Future):
        reply.add_done_callback(lambda future: send(future.result()))
    else:
        send(reply)


def _leave(status: int) -> None:
    """End at once: threads of user code would keep the process alive."""
    try:
        logging.shutdown()
        sys.stdout.flush()
    finally:  # user code may have closed it, or who reads the log is gone
        os._exit(status)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m minigears.executor")
    parser.add_argument("--redis", required=True, metavar="URL")
    parser.add_argument("--control-fd", required=True, type=int)
    parser.add_argument("--events-fd", required=True, type=int)
    parser.add_argument("--cache", required=True, type=Path)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="text", choices=logs.FORMATS)
    return parser.parse_args(argv)
