"""A write-behind worker as redis-stream-queue's documentation suggests: a handler that returns ids."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import Any

from pymongo import AsyncMongoClient, DeleteOne, ReplaceOne, WriteConcern
from redis.asyncio import Redis
from redis_stream_queue import ConsumerConfig, StreamClient, StreamConsumer

PORT, URL = sys.argv[1:]


def operation(message: dict[str, Any]) -> Any:
    if message["document"] is None:
        return DeleteOne({"_id": message["id"]})
    return ReplaceOne({"_id": message["id"]}, message["document"], upsert=True)


async def main() -> None:
    mongo: AsyncMongoClient[Any] = AsyncMongoClient(URL, serverSelectionTimeoutMS=1000)
    movies = mongo.get_default_database().get_collection(
        "movies", write_concern=WriteConcern("majority", j=True)
    )
    redis = Redis(port=int(PORT))

    async def handle(messages: list[Any]) -> list[str]:
        await movies.bulk_write([operation(message.data) for message in messages])
        return [message.id for message in messages]

    async def on_dlq(message: Any, reason: str) -> None:
        data = message.data if isinstance(message.data, dict) else json.loads(message.data)
        letter = {**data, "reason": reason, "attempts": message.delivery_count}
        await redis.xadd("movies-dead", {"data": json.dumps(letter)})

    config = ConsumerConfig(
        group="writers",
        dlq_stream="movies-dead",
        batch_size=100,
        block_ms=500,
        min_idle_claim_ms=2000,
    )
    client = StreamClient(host="127.0.0.1", port=int(PORT))
    consumer = StreamConsumer(client, "movies", config, handle, dlq_handler=on_dlq)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
    print("started", flush=True)
    await consumer.run()


if __name__ == "__main__":
    asyncio.run(main())
