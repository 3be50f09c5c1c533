"""Write-through for movies: JSON written to `MovieEntity:*` in Redis is in MongoDB before the client has its reply.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_write_through.py REQUIREMENTS pymongo==3.12.0

    JSON.SET ──▶ Redis ──▶ MongoDB ──▶ reply

rgsync's RGJSONWriteThrough is not used, because it never works: it reads the JSON as a hash, and a key without `{}`
raises (trap 14 in README.md). What this costs, and what it leaves out:

* Every write waits for MongoDB's journal, and while one waits, so do the functions of all others.
* MongoDB is away: the client gets an error within about two seconds, but Redis has the new value already. Whoever gets
  that error sends the write again, or takes it back. No queue remembers it.
* Commands in MULTI, in a Lua script or not in COMMANDS get their own reply even then; what they missed is only in
  the registration's `lastError` and in the log. FLUSHALL raises no event; `evicted` deletes nothing.
"""
import json

from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure

NAME, VERSION = 'MoviesWriteThrough', '1.0.0'
PREFIX, COLLECTION, PRIMARY_KEY = 'MovieEntity:', 'movies', 'movieId'
PATIENCE_MS = 2000
JSON = 'set mset merge clear toggle numincrby nummultby numpowby strappend arrappend arrinsert arrpop arrtrim'
JSON_WRITES = ['json.' + name for name in JSON.split()]
WRITES = JSON_WRITES + ['change', 'copy_to', 'rename_to', 'restore']
DELETES = ['del', 'json.del', 'expired', 'rename_from', 'move_from']
# Whoever sends one of these waits for `write_through`, which may replace the reply.
COMMANDS = JSON_WRITES + ['json.del', 'json.forget', 'del', 'unlink', 'rename', 'renamenx', 'copy', 'restore', 'move']


class Movies:
    """MongoDB's collection, reached at first use: a client cannot be pickled, and registrations are."""

    _collection = None

    def __init__(self, url, database):
        self.url, self.database = url, database

    @property
    def collection(self):
        """The collection; finds out at first use whether MongoDB is there."""
        if self._collection is None:
            # Every wait has an end: the client's connection to Redis stands still meanwhile.
            waits = ('serverSelectionTimeoutMS', 'connectTimeoutMS', 'socketTimeoutMS')
            client = MongoClient(self.url, **dict.fromkeys(waits, PATIENCE_MS))
            safe = WriteConcern(w='majority', j=True, wtimeout=PATIENCE_MS)
            collection = client[self.database].get_collection(COLLECTION, write_concern=safe)
            try:
                collection.create_index(PRIMARY_KEY, unique=True)  # else each upsert reads all documents
            except OperationFailure as error:  # there is another index, or there are duplicates
                log('%s: no unique index: %s' % (NAME, error), level='warning')
            self._collection = collection
        return self._collection

    def write(self, key, text):
        """Make the document of a key equal to the JSON text. Raises when that cannot be."""
        movie_id, document = key[len(PREFIX):], json.loads(text)
        if not isinstance(document, dict) or '_id' in document:
            raise ValueError('not a JSON object without _id')
        document.pop(PRIMARY_KEY, None)  # the key says which movie it is, whatever a renamed document says
        document = {PRIMARY_KEY: movie_id, **document}
        self.collection.replace_one({PRIMARY_KEY: movie_id}, document, upsert=True)

    def delete(self, key):
        """Delete the document of a key, if there is one."""
        self.collection.delete_one({PRIMARY_KEY: key[len(PREFIX):]})


def write_through(record):
    """Make MongoDB equal to Redis for one key. Runs before the client has its reply."""
    key = record['key']
    try:
        document = execute('JSON.GET', key)
        if document is not None:
            movies.write(key, document)
        elif record['event'] in DELETES:
            movies.delete(key)
    except Exception as error:
        reason = ' '.join(str(error).split())[:300]  # one line, as a Redis error has to be
        log('%s: %s of %s: %s' % (NAME, record['event'], key, reason), level='warning')
        # Raises where no client's reply is held back; then the registration counts a failure.
        override_reply('-ERR done in Redis, but MongoDB did not confirm it: %s' % reason)


# Read now, so that it is part of the registration: after a restart RedisGears has forgotten it.
url = gearsConfigGet('mongoUrl', None)
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
movies = Movies(url, gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo'))

desc = '{"name": "%s.KeysReader", "version": "%s"}' % (NAME, VERSION)
GB('KeysReader', desc=desc).foreach(write_through).register(
    prefix=PREFIX + '*', eventTypes=WRITES + DELETES, commands=COMMANDS,
    mode='sync', readValue=False, convertToStr=False,
)

# Running the script again replaces what it registered before. The id is the second word, the description the sixth.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if '"%s.' % NAME in (registration[5] or ''):
        execute('RG.UNREGISTER', registration[1])
