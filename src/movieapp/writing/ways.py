"""The four ways of writing, in the order of the course."""

from __future__ import annotations

from movieapp.writing.streamswriter import BehindWithStreams
from movieapp.writing.writers import BehindWithGears, Mode, MongoOnly, Writer, WriteThrough

WAYS: dict[Mode, type[Writer]] = {
    writer.mode: writer for writer in (MongoOnly, WriteThrough, BehindWithGears, BehindWithStreams)
}
