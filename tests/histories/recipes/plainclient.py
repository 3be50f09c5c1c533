"""A client that knows nothing of write-behind: plain commands, each sent once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from tests.histories.verdict.history import Document, Kind
from tests.histories.world.clients import Do, Refused
from tests.histories.world.operations import Request

_REFUSALS = (
    *("doesn't exist", "does not exist", "must be created at the root", "no such key"),
    *("WBFULL", "WBCONFIG", "Function not found"),
)
"""What RedisJSON and Redis say when there was nothing to change, and a door that captures when it took nothing."""
_MISSING_PATH = "there is nothing at that path"


def plain_client(
    port: int,
    identity: Callable[[str], Document] = lambda key: {},
    own: Callable[[Mapping[str, Any]], Document] = dict,
) -> Do:
    """Return a client that sends each request once.

    `identity` is what a recipe wants in each document, by its key; `own` takes it out of what is read.
    """
    redis = Redis(port=port, socket_timeout=3, retry=None, decode_responses=True)

    def do(request: Request) -> Any:
        _knock(redis)
        try:
            return _do(redis, request, identity(request.key), own)
        except ResponseError as error:
            if any(words in str(error) for words in _REFUSALS):
                raise Refused(str(error)) from error
            raise

    return do


def _knock(redis: Redis) -> None:
    """Wait until somebody is at the door. Raises Refused when nobody has come for long."""
    deadline = time.monotonic() + 20
    while True:
        try:
            redis.ping()
            return
        except RedisError as error:
            if time.monotonic() > deadline:
                raise Refused(str(error)) from error
            time.sleep(0.05)


def _do(
    redis: Redis, request: Request, identity: Document, own: Callable[[Mapping[str, Any]], Document]
) -> Any:
    key, value = request.key, request.value
    match request.kind:
        case Kind.READ:
            text = redis.execute_command("JSON.GET", key)
            found = json.loads(text) if isinstance(text, str) else text
            return None if found is None else own(found)
        case Kind.SET:
            redis.execute_command("JSON.SET", key, "$", json.dumps(value | identity))
        case Kind.MERGE:
            redis.execute_command("JSON.MERGE", key, "$", json.dumps(value | identity))
        case Kind.PUT:
            [(field, to)] = value.items()
            if redis.execute_command("JSON.SET", key, f"$.{field}", json.dumps(to)) is None:
                raise Refused(_MISSING_PATH)
        case Kind.INCREMENT:
            reply: Any = redis.execute_command("JSON.NUMINCRBY", key, "$.n", value)
            numbers = json.loads(reply) if isinstance(reply, str) else reply
            if not numbers or numbers[0] is None:
                raise Refused(_MISSING_PATH)
            return numbers[0]
        case Kind.DELETE:
            redis.execute_command("DEL", key)
        case Kind.RENAME:
            redis.execute_command("RENAME", key, value)
    return None
