"""A read that knows the queue of movies_write_behind.py: from Redis, else from what waits, else from MongoDB.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_read.py REQUIREMENTS pymongo==3.12.0
    redis-cli RG.TRIGGER ReadMovie 1

The reply holds the movie's JSON, or nothing when there is no such movie. It is for movies that Redis may have evicted, which
are those with a TTL: until the queue is written, MongoDB has an older state of them, or none. On a miss the whole stream is
looked through, newest first. Nothing is put back into Redis. When MongoDB is away and is the only one to ask, the reply is
an error.
"""
import json

from pymongo import MongoClient

NAME, VERSION = 'MoviesRead', '2.0.0'
PREFIX, COLLECTION, PRIMARY_KEY, PAGE = 'MovieEntity:', 'movies', 'movieId', 500
STREAM, DIRTY = '_movies-stream-{%s}' % hashtag(), '_movies-dirty-{%s}' % hashtag()
DELETES = ['del', 'json.del', 'expired', 'rename_from', 'move_from']
LIMITS = dict(serverSelectionTimeoutMS=3000, connectTimeoutMS=3000, socketTimeoutMS=8000)


def queued(key):
    """The newest of what waits under a key, as (whether there is any, text or None for a delete)."""
    if execute('HGET', DIRTY, key) in DELETES:  # first: what waits there goes into the stream next
        return True, None
    newest, before, page = ('', None), '+', True
    while page:
        page = execute('XREVRANGE', STREAM, before, '-', 'COUNT', PAGE)
        for entry_id, words in page:
            entry = dict(zip(words[::2], words[1::2]))
            if entry.get('_original_key') == key:  # one that was replayed brings the version that it had
                version = entry.get('version', '%020d-%020d' % tuple(map(int, entry_id.split('-'))))
                newest = max(newest, (version, entry.get('redisgears')), key=lambda pair: pair[0])
        before = '(' + page[-1][0] if page else ''
    return newest[0] != '', newest[1]


class Movies:
    """MongoDB's collection, reached at first use: a client cannot be pickled, and registrations are."""

    _client = None

    def __init__(self, url, database):
        self.url, self.database = url, database

    def stored(self, movie_id):
        """The document's text from MongoDB, without what the write-behind has added; None for none."""
        if self._client is None:
            self._client = MongoClient(self.url, **LIMITS)
        found = self._client[self.database][COLLECTION].find_one({PRIMARY_KEY: movie_id}, {'_id': 0, '_v': 0})
        expires = found and found.pop('_expires', None)
        if found is None or expires and expires < self._client.admin.command('isMaster')['localTime']:  # by its own clock
            return None
        return json.dumps(found, default=str)


def read(words):
    """The movie's JSON, or None."""
    key = PREFIX + words[1]
    kind = execute('TYPE', key)
    if kind != 'none':
        return execute('JSON.GET', key) if kind == 'ReJSON-RL' else None  # something else is no movie any more
    waits, text = queued(key)
    return text if waits else movies.stored(words[1])


# Read now, so that it is part of the registration: after a restart RedisGears has forgotten it.
url = gearsConfigGet('mongoUrl', None)
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
movies = Movies(url, gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo'))

# Running the script again replaces what it registered before. The id is the second word, the description the sixth.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if '"%s.' % NAME in (registration[5] or ''):
        execute('RG.UNREGISTER', registration[1])
desc = '{"name": "%s.CommandReader", "version": "%s"}' % (NAME, VERSION)
GB('CommandReader', desc=desc).map(read).filter(lambda text: text is not None).register(trigger='ReadMovie')
