"""Write-through for movies: JSON written to `MovieEntity:*` in Redis is in MongoDB before the client has its reply.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_write_through.py REQUIREMENTS pymongo==3.12.0

    JSON.SET ──▶ Redis ──▶ MongoDB ──▶ reply

rgsync's RGJSONWriteThrough is not used, because it never works: it reads the JSON as a hash, and a key without `{}`
raises (trap 14 in README.md). What this costs, and what it leaves out:

* Every write waits for MongoDB's journal, and while one waits, so do the functions of all others.
* MongoDB is away or frozen: the client gets an error within about two seconds, but Redis has the new value already.
  Whoever gets that error sends the write again, or takes it back. No queue remembers it. Those who queued behind it, or
  come within the next second, are told at once: else the tenth client would wait for ten times two seconds.
* Commands in a Lua script, those that may block, and those whose keys are not at fixed places (SORT …) get their own
  reply even then; what they missed is only in the registration's `lastError` and in the log. FLUSHALL raises no event; `evicted` deletes nothing.
"""
import json
import time
from datetime import timedelta

from pymongo import MongoClient, WriteConcern
from pymongo.errors import ConnectionFailure, OperationFailure

NAME, VERSION = 'MoviesWriteThrough', '2.1.0'
PREFIX, COLLECTION, PRIMARY_KEY = 'MovieEntity:', 'movies', 'movieId'
# Every wait has an end: the client's connection to Redis stands still meanwhile. The longest, to find a server and then
# to hear nothing from it, is two seconds; one that PyMongo repeats by itself would be four.
LIMITS = dict(serverSelectionTimeoutMS=900, connectTimeoutMS=900, socketTimeoutMS=1100, retryWrites=False)
DELETES = ['del', 'json.del', 'expired', 'rename_from', 'move_from']  # after these, no key means: deleted


class Movies:
    """MongoDB's collection, reached at first use: a client cannot be pickled, and registrations are."""

    _collection, _prepared, _away = None, 0, 0

    def __init__(self, url, database):
        self.url, self.database = url, database

    @property
    def collection(self):
        """The collection with its indexes: looked at once a second, as MongoDB may have lost its data."""
        if self._collection is None:
            safe = WriteConcern(w='majority', j=True, wtimeout=1000)
            database = MongoClient(self.url, **LIMITS)[self.database]
            self._collection = database.get_collection(COLLECTION, write_concern=safe)
        if not self._prepared or time.monotonic() - self._prepared > 1:
            self._collection.create_index('_expires', expireAfterSeconds=0)
            try:
                self._collection.create_index(PRIMARY_KEY, unique=True)  # else each upsert reads all documents
            except OperationFailure as error:  # there is another index, or there are duplicates
                log('%s: no unique index: %s' % (NAME, error), level='warning')
            self._prepared = time.monotonic()
        return self._collection

    def follow(self, key, event):
        """Make MongoDB equal to Redis for one key. Raises when that cannot be."""
        if self._away and time.monotonic() - self._away < 1:
            raise ConnectionError('MongoDB was away a moment ago')
        try:
            self._follow(key, event)
        except ConnectionFailure:
            self._away = time.monotonic()
            raise

    def _follow(self, key, event):
        one = {PRIMARY_KEY: key[len(PREFIX):]}
        is_json = execute('TYPE', key) == 'ReJSON-RL'
        text = execute('JSON.GET', key) if is_json else None
        if text is not None:
            self.collection.replace_one(one, self.document(one, json.loads(text), execute('PTTL', key)), upsert=True)
        elif event in DELETES or execute('EXISTS', key):  # gone, or something else than a movie
            self.collection.delete_many(one)

    def document(self, one, document, left):
        """The document as MongoDB gets it; `left` is how many milliseconds its key will live, or negative."""
        if not isinstance(document, dict) or not document.keys().isdisjoint(('_id', '_expires')):
            raise ValueError('not a JSON object without _id and _expires')
        document.pop(PRIMARY_KEY, None)  # the key says which movie it is, whatever a renamed document says
        if left > 0:  # a TTL index deletes it, also when nobody sees the key expire
            now = self.collection.database.client.admin.command('isMaster')['localTime']  # by whose clock it does
            document['_expires'] = now + timedelta(milliseconds=left)
        return {**one, **document}


def write_through(record):
    """Make MongoDB equal to Redis for one key. Runs before the client has its reply."""
    key, event = record['key'], record['event']
    try:
        if event != 'evicted':
            movies.follow(key, event)
    except Exception as error:
        reason = ' '.join(str(error).split())[:300]  # one line, as a Redis error has to be
        log('%s: %s of %s: %s' % (NAME, event, key, reason), level='warning')
        # Raises where no client's reply is held back; then the registration counts a failure.
        override_reply('-ERR done in Redis, but MongoDB did not confirm it: %s' % reason)


# Read now, so that it is part of the registration: after a restart RedisGears has forgotten it.
url = gearsConfigGet('mongoUrl', None)
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
movies = Movies(url, gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo'))

# Whoever sends one of these waits for `write_through`, which may replace the reply. Redis knows which there are.
# Of what others do, RedisGears shows nothing to a registration with `commands`.
unfit = {'blocking', 'movablekeys', 'noscript'}
commands = [one[0] for one in execute('COMMAND') if 'write' in one[2] and one[3] > 0 and unfit.isdisjoint(one[2])]
desc = '{"name": "%s.%s", "version": "%s"}'
GB('KeysReader', desc=desc % (NAME, 'Commands', VERSION)).foreach(write_through).register(
    prefix=PREFIX + '*', commands=commands, mode='sync', readValue=False, convertToStr=False
)
# So a second one has what the unfit ones raise that can replace a movie or end it, and what no command does.
others = ['expired', 'del', 'sortstore', 'georadiusstore', 'zunionstore', 'zinterstore', 'zdiffstore']
GB('KeysReader', desc=desc % (NAME, 'Others', VERSION)).foreach(write_through).register(
    prefix=PREFIX + '*', eventTypes=others, mode='sync', readValue=False, convertToStr=False
)

# Running the script again replaces what it registered before. The id is the second word, the description the sixth.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if '"%s.' % NAME in (registration[5] or ''):
        execute('RG.UNREGISTER', registration[1])
