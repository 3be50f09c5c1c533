"""The four ways of writing, in the order of the course."""

from __future__ import annotations

from movieapp.streamswriter import BehindWithStreams
from movieapp.writers import BehindWithGears, Mode, MongoOnly, Writer, WriteThrough

WAYS: dict[Mode, type[Writer]] = {
    writer.mode: writer for writer in (MongoOnly, WriteThrough, BehindWithGears, BehindWithStreams)
}
