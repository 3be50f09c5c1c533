"""Stream registrations: consumer groups, batches, failure policies, trimming."""

from minigears.executor.streams.batching import StreamArgs
from minigears.executor.streams.delivery import BatchFailed
from minigears.executor.streams.runner import ReaderStatus, StreamReaderRunner

__all__ = ["BatchFailed", "ReaderStatus", "StreamArgs", "StreamReaderRunner"]
