"""Write-behind on a Kafka topic: the log takes writes, a database gets them in batches, as in recipes/streams."""

from .records import Topic
from .worker import Worker
from .writer import Writer

__all__ = ["Topic", "Worker", "Writer"]
