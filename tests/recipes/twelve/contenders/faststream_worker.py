"""A write-behind worker as FastStream's documentation suggests: a batch, a handler, a recovery."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.redis import RedisBroker, StreamSub
from pymongo import AsyncMongoClient, DeleteOne, ReplaceOne, WriteConcern

PORT, URL = sys.argv[1:]
NAME = f"worker-{os.getpid()}"

broker = RedisBroker(f"redis://127.0.0.1:{PORT}")
app = FastStream(broker)
client: AsyncMongoClient[Any] = AsyncMongoClient(URL, serverSelectionTimeoutMS=1000)
movies = client.get_default_database().get_collection(
    "movies", write_concern=WriteConcern("majority", j=True)
)


def operation(message: dict[str, Any]) -> Any:
    if message["document"] is None:
        return DeleteOne({"_id": message["id"]})
    return ReplaceOne({"_id": message["id"]}, message["document"], upsert=True)


async def write(messages: list[dict[str, Any]]) -> None:
    await movies.bulk_write([operation(message) for message in messages])


for claiming in ({}, {"min_idle_time": 2000}):
    sub = StreamSub(
        "movies", group="writers", consumer=NAME, batch=True, max_records=100, **claiming
    )
    broker.subscriber(stream=sub, ack_policy=AckPolicy.NACK_ON_ERROR)(write)


@app.after_startup
async def tell() -> None:
    print("started", flush=True)


if __name__ == "__main__":
    asyncio.run(app.run())
