"""A stack that someone else runs: a workshop's server, compose, the cloud."""

from __future__ import annotations

import os
from typing import Any

import pymongo
import redis
from pymongo.errors import ConfigurationError, PyMongoError
from redis.connection import parse_url

from lab.errors import LabError, Unsupported
from lab.report import say
from lab.stack import redisclient
from lab.stack.model import Row, Stack, Status, hide_password

_PATIENCE = 3.0  # seconds for a server elsewhere to answer


def up() -> Stack:
    """Return the stack that `LAB_REDIS_URL` and `LAB_MONGO_URL` name, once both answer.

    `LAB_REDIS_DIRECT_URL` and `LAB_RECIPE_MONGO_URL` name Redis past the Gears front door, and
    MongoDB as the recipes reach it, where those differ. Raises LabError for a URL that is missing,
    malformed or not answered.
    """
    redis_url, mongo_url = _needed("LAB_REDIS_URL"), _needed("LAB_MONGO_URL")
    stack = Stack(
        kind="external",
        redis_url=redis_url,
        redis_direct_url=os.environ.get("LAB_REDIS_DIRECT_URL", redis_url),
        mongo_url=mongo_url,
        recipe_mongo_url=os.environ.get("LAB_RECIPE_MONGO_URL", mongo_url),
        status=status,
    )
    for variable, url in (
        ("LAB_REDIS_URL", redis_url),
        ("LAB_REDIS_DIRECT_URL", stack.redis_direct_url),
    ):
        _refuse_a_database(variable, url)
    _check_redis(stack)
    _check_mongo(stack)
    return stack


def status() -> Status:
    """Return whether the servers named in the environment answer."""
    rows = []
    for name, variable, answers in (
        ("Redis with Gears", "LAB_REDIS_URL", _redis_answers),
        ("MongoDB", "LAB_MONGO_URL", _mongo_answers),
    ):
        url = os.environ.get(variable, "")
        state = "no " + variable if not url else "running" if answers(url) else "no answer"
        rows.append(Row(name, hide_password(url), state))
    return Status("external", rows)


def refuse(action: str) -> None:
    """Raise Unsupported: the lab does not run the external stack, so it cannot stop parts of it."""
    raise Unsupported(
        f"{action} needs a stack that the lab has started, and it did not start the external "
        "one. Stop or start that server yourself, or unset LAB_STACK and run the notebook again."
    )


def _needed(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        example = "redis://host:6379" if "REDIS" in variable else "mongodb://host:27017"
        raise LabError(
            f"The external stack needs {variable}, for example {variable}={example}. Set it before "
            "JupyterLab starts, or unset LAB_STACK to use the embedded stack."
        )
    return url


def _refuse_a_database(variable: str, url: str) -> None:
    """Gears sees database 0 only: what is written to another one would never arrive."""
    try:
        database = parse_url(url).get("db", 0)
    except ValueError:
        return  # `_check_redis` says what is wrong with it
    if database:
        raise LabError(
            f"{variable}={hide_password(url)} names database {database}, and recipes see database 0 "
            "only. Leave the number out."
        )


def _check_redis(stack: Stack) -> None:
    shown = hide_password(stack.redis_url)
    try:
        client = redisclient.connect(stack.redis_url, _PATIENCE)
        client.ping()
    except ValueError as problem:
        reason = _reason(problem, stack.redis_url)
        raise LabError(f"LAB_REDIS_URL={shown} is not a Redis URL: {reason}.") from None
    except (redis.RedisError, OSError) as problem:
        raise LabError(
            f"Nothing answers as Redis at LAB_REDIS_URL={shown} ({problem}). Check host, port and "
            "password, and that the server runs."
        ) from problem
    try:
        client.execute_command("RG.INFOCLUSTER")
    except redis.ResponseError as problem:
        say(f"Redis at {shown} does not answer RG.* ({problem}): the Gears notebooks will fail.")


def _check_mongo(stack: Stack) -> None:
    shown = hide_password(stack.mongo_url)
    try:
        with pymongo.timeout(_PATIENCE):
            stack.mongo.admin.command("ping")
    except (PyMongoError, ValueError) as problem:
        reason = _reason(problem, stack.mongo_url).split(", Timeout:")[0]
        raise LabError(
            f"Nothing answers as MongoDB at LAB_MONGO_URL={shown} ({reason}). Check host, port "
            "and password, and that the server runs."
        ) from None


def _reason(problem: Exception, url: str) -> str:
    """Say what is wrong with a URL, or behind it, without a piece of its password.

    The parsers quote what they stumble over. In a URL with a login that may be the password's end.
    """
    if "@" in url and isinstance(problem, (ValueError, ConfigurationError)):
        return "in a name or password, write / as %2F, # as %23, ? as %3F, @ as %40 and % as %25"
    return str(problem)


def _redis_answers(url: str) -> bool:
    try:
        return bool(redisclient.connect(url, _PATIENCE).ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _mongo_answers(url: str) -> bool:
    try:
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
        with client, pymongo.timeout(_PATIENCE):
            return bool(client.admin.command("ping"))
    except (PyMongoError, ValueError):
        return False
