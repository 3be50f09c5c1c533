"""Write-behind for movies: JSON written to `MovieEntity:*` in Redis reaches MongoDB a moment later.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_write_behind.py \
        REQUIREMENTS rgsync==1.2.0 pymongo==3.12.0

    JSON.SET ──▶ capture ──▶ stream ──▶ MovieConnector ──▶ MongoDB
              before the reply          in batches, later

The stream's entries look as rgsync's do. The two ends are our own, because rgsync 1.2.0 as shipped loses or blocks
writes at both; "trap" refers to the list in README.md. Left out, to stay short: a version in each entry (a worker that
was replaced while it wrote may still overwrite a newer document), a limit for the stream's length, backoff, metrics,
several workers, more than one shard. FLUSHALL, and SET over a movie, raise no event that is listened to. `evicted` is
left out on purpose: Redis needed the memory, nobody deleted the movie.
"""
import json

import bson
from pymongo import ReplaceOne, WriteConcern
from pymongo.errors import BulkWriteError, OperationFailure
from rgsync.common import OP_KEY, OPERATION_DEL_REPLICATE, OPERATION_UPDATE_REPLICATE, ORIGINAL_KEY
from rgsync.Connectors import MongoConnection, MongoConnector

NAME, VERSION = 'MoviesWriteBehind', '1.0.0'
PREFIX, COLLECTION, PRIMARY_KEY, DOCUMENT = 'MovieEntity:', 'movies', 'movieId', 'redisgears'
# Trap 10: names that stay the same, so that a new version finds what the old one had not written yet.
STREAM = '_movies-stream-{%s}' % hashtag()
DEAD_LETTERS = '_movies-stream-dead-letters-{%s}' % hashtag()
# Trap 12: every event that changes a JSON document, or brings one (rgsync knows 9 of these 22).
JSON = 'set mset merge clear toggle numincrby nummultby numpowby strappend arrappend arrinsert arrpop arrtrim'
WRITES = ['change', 'copy_to', 'rename_to', 'restore'] + ['json.' + name for name in JSON.split()]
DELETES = ['del', 'json.del', 'expired', 'rename_from', 'move_from']
MAX_BYTES = 16 * 1024 * 1024  # MongoDB's limit for one document


def bury(entry, error):
    """Keep what MongoDB will never take, with the reason. Trap 13: rgsync tries it for ever, and nothing passes it."""
    log('%s: dead letter: %s' % (NAME, error), level='warning')
    execute('XADD', DEAD_LETTERS, '*', *[word for field in entry.items() for word in field], 'error', str(error))


def capture(record):
    """Put the document, as it is now, into the stream. Runs before the client has its reply."""
    key = record['key']
    # Trap 8: rgsync takes split(':')[1] for the id, so `MovieEntity:a:b` and `MovieEntity:a:c` are one movie.
    entry = {ORIGINAL_KEY: key, PRIMARY_KEY: key[len(PREFIX):]}
    try:
        document = execute('JSON.GET', key)
    except Exception as error:  # not JSON, for example a string that was renamed to a movie's key
        return bury(entry, error)
    if document is not None:
        entry.update({OP_KEY: OPERATION_UPDATE_REPLICATE, DOCUMENT: document})
    elif record['event'] in DELETES:
        entry[OP_KEY] = OPERATION_DEL_REPLICATE
    else:  # it was written and is gone: the event of its going comes next, unless it was evicted
        return
    execute('XADD', STREAM, '*', *[word for field in entry.items() for word in field])


class MovieConnector(MongoConnector):
    """Writes batches of the stream's entries. One lives in the worker; it is pickled before it has a connection."""

    _collection = None

    @property
    def collection(self):
        """Trap 5: rgsync makes a client for each batch and never closes one. This one is made once, at first use."""
        if self._collection is None:
            collection = self.connection.Connect()[self.db][self.TableName()]
            try:
                collection.create_index(self.PrimaryKey(), unique=True)  # else each upsert reads all documents
            except OperationFailure as error:  # there is another index, or there are duplicates
                log('%s: no unique index: %s' % (NAME, error), level='warning')
            # Acknowledged means: in the journal of most members. Only then may entries leave the stream.
            safe = WriteConcern(w='majority', j=True, wtimeout=10000)
            self._collection = collection.with_options(write_concern=safe)
        return self._collection

    def AddOrUpdateQuery(self, entry, dataKey):
        """Raises whatever makes the document impossible to write: trap 4, rgsync tries such a document for ever."""
        key, document = entry[self.PrimaryKey()], json.loads(entry[dataKey])  # trap 1: rgsync makes " of every '
        if not isinstance(document, dict):
            raise ValueError('not a JSON object')
        if '_id' in document:
            raise ValueError("_id is MongoDB's own field")
        # Trap 2: rgsync may write 1 where the key says "1". The key says it, whatever a renamed document says.
        document.pop(self.PrimaryKey(), None)
        document = {self.PrimaryKey(): key, **document}
        if len(bson.encode(document)) > MAX_BYTES:  # encoding also finds integers over 64 bits
            raise ValueError('larger than %d bytes' % MAX_BYTES)
        # Trap 3: rgsync's $set leaves a removed field in MongoDB, and makes a path of a field with a dot.
        return ReplaceOne({self.PrimaryKey(): key}, document, upsert=True)

    def WriteData(self, data, dataKey=DOCUMENT):
        """Write a batch. Raises when MongoDB is away; then it comes again, and once more does no harm."""
        latest, refused = {}, []
        for entry in (record['value'] for record in data):
            try:
                if entry[OP_KEY] == OPERATION_DEL_REPLICATE:
                    query = self.DeleteQuery(entry)
                else:
                    query = self.AddOrUpdateQuery(entry, dataKey)
                latest[entry[self.PrimaryKey()]] = (entry, query)
            except Exception as error:
                refused.append((entry, '%s: %s' % (type(error).__name__, error)))
        try:
            if latest:  # one operation for each key, the last one: so one that fails need not stop the others
                self.collection.bulk_write([query for _, query in latest.values()], ordered=False)
        except BulkWriteError as failure:
            if failure.details['writeConcernErrors']:
                raise  # written, but not safely
            entries = [entry for entry, _ in latest.values()]
            refused += [(entries[error['index']], error['errmsg']) for error in failure.details['writeErrors']]
        for entry, error in refused:  # after the others are safe: a batch that comes again would bury them again
            bury(entry, error)


# Read now, so that it is part of the registration: after a restart RedisGears has forgotten it.
url = gearsConfigGet('mongoUrl', None)
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
database = gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo')
connector = MovieConnector(MongoConnection('', '', '', conn_string=url), database, COLLECTION, PRIMARY_KEY)
desc = '{"name": "%s.%s", "version": "' + VERSION + '"}'

GB('KeysReader', desc=desc % (NAME, 'KeysReader')).foreach(capture).register(
    prefix=PREFIX + '*', eventTypes=WRITES + DELETES, mode='sync', readValue=False, convertToStr=False
)
GB('StreamReader', desc=desc % (NAME, 'StreamReader')) \
    .aggregate([], lambda batch, record: batch + [record], lambda one, other: one + other) \
    .foreach(lambda batch: connector.WriteData(batch)) \
    .count() \
    .register(
        prefix=STREAM, batch=100, duration=100, mode='async_local',
        onFailedPolicy='retry', onFailedRetryInterval=1, convertToStr=False,
    )

# Trap 11: rgsync removes the earlier version first. Here nothing is removed when a line above fails. A registration's
# id is its second word, its description the sixth. Those of rgsync's own class with this name go, too.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if '"%s.' % NAME in (registration[5] or ''):
        execute('RG.UNREGISTER', registration[1])
