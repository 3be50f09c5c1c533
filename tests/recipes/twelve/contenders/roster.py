"""Who is judged, by the whole suite and in the table."""

from __future__ import annotations

import sys

from tests.recipes.twelve.contenders.capturing import DoorCapture
from tests.recipes.twelve.contenders.gears import HardenedGears, RgsyncAsShipped
from tests.recipes.twelve.contenders.peers import FastStream, RedisStreamQueue
from tests.recipes.twelve.contenders.streams import StreamsOnMongo, StreamsOnPostgres
from tests.recipes.twelve.interface import Recipe

CONTENDERS: list[type[Recipe]] = [StreamsOnMongo, StreamsOnPostgres, DoorCapture, HardenedGears]
"""Ours: judged in every run."""
COMPARED: list[type[Recipe]] = [RgsyncAsShipped, FastStream]
if sys.version_info >= (3, 11):  # redis-stream-queue needs it
    COMPARED.append(RedisStreamQueue)
"""What a reader would pick instead."""
