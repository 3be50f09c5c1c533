"""Find what differs between the movies in Redis and in MongoDB, and repair it through movies_write_behind.py.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017 reconcile report
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_reconcile.py REQUIREMENTS pymongo==3.12.0

The result: a line for each difference (at most 1000), and one that counts them all. `reconcile` says what happens next:

    report   nothing
    repair   the write-behind writes what differs, is missing, or should have been deleted or have expired
    delete   the same, and it deletes what is in MongoDB only. Not where Redis evicts movies, or never had them all!

When to run it: after FLUSHALL, after Redis came back without its last second, when minigears was away while Redis's own
port was written to, when the log says that the stream was lost. What still waits in the stream is a difference, too.
Both sides are read a page at a time.
"""
import json

import bson
from pymongo import MongoClient

PREFIX, COLLECTION, PRIMARY_KEY, PAGE, SHOWN = 'MovieEntity:', 'movies', 'movieId', 500, 1000
STREAM, DIRTY = '_movies-stream-{%s}' % hashtag(), '_movies-dirty-{%s}' % hashtag()
LIMITS = dict(serverSelectionTimeoutMS=5000, connectTimeoutMS=5000, socketTimeoutMS=30000)
OURS = ('_id', '_v', '_expires')


def pages_of_keys():
    """The keys of the prefix; SCAN may tell one twice."""
    cursor = None
    while cursor != '0':
        cursor, keys = execute('SCAN', cursor or '0', 'MATCH', PREFIX + '*', 'COUNT', PAGE)
        yield keys


def wanted(key):
    """The document that MongoDB should have for a key, None for none. Raises ValueError for one that it cannot have."""
    text = execute('JSON.GET', key) if execute('TYPE', key) == 'ReJSON-RL' else None
    if text is None:
        return None
    document = json.loads(text)
    if not isinstance(document, dict) or any(name in document for name in OURS):
        raise ValueError('MongoDB cannot have it')
    document[PRIMARY_KEY] = key[len(PREFIX):]
    bson.encode(document)
    return document


def now_of(movies):
    """What MongoDB's clock says, by which documents expire; ours may be another."""
    return movies.database.client.admin.command('isMaster')['localTime']


def same_end(key, document, movies):
    """Whether key and document expire within two seconds of each other, or never."""
    left, expires = execute('PTTL', key), document.get('_expires')
    if left < 0 or expires is None:
        return left < 0 and expires is None
    return abs((expires - now_of(movies)).total_seconds() - left / 1000) < 2


def from_redis(movies):
    """(key, what is wrong, event for the repair) for keys of Redis."""
    for keys in pages_of_keys():
        found = {}
        for document in movies.find({PRIMARY_KEY: {'$in': [key[len(PREFIX):] for key in keys]}}):
            found.setdefault(PREFIX + document[PRIMARY_KEY], []).append(document)
        for key in keys:
            documents = found.get(key, [])
            try:
                right = wanted(key)
            except Exception as error:
                yield key, str(error), None
                continue
            plain = [{name: one[name] for name in one if name not in OURS} for one in documents]
            if len(documents) > 1:
                yield key, 'more than one document', 'change'
            elif plain != ([] if right is None else [right]):
                yield key, 'differs' if plain and right else 'missing' if right else 'no movie in Redis', 'change'
            elif documents and not same_end(key, documents[0], movies):
                yield key, 'expires at another time', 'expire'


def from_mongo(movies, tombstones):
    """The same for documents whose key is not in Redis."""
    now = now_of(movies)
    for document in movies.find({}, {PRIMARY_KEY: 1, '_v': 1, '_expires': 1}).batch_size(PAGE):
        key = PREFIX + str(document.get(PRIMARY_KEY))
        if execute('EXISTS', key):
            continue
        stone = tombstones.find_one({'_id': document.get(PRIMARY_KEY)})
        if stone and stone['_v'] >= document.get('_v', ''):
            yield key, 'was deleted', 'del'
        elif document.get('_expires', now) < now:
            yield key, 'has expired', 'expired'
        else:
            yield key, 'only in MongoDB', 'del' if task == 'delete' else None


def reconcile(shard):
    """The lines of the report. To repair a key is to mark it: the write-behind reads it again."""
    database = MongoClient(url, **LIMITS)[name]
    movies, tombstones = database[COLLECTION], database[COLLECTION + '_deleted']
    lines, count, repaired = [], 0, 0
    for differences in (from_redis(movies), from_mongo(movies, tombstones)):
        for key, what, event in differences:
            count += 1
            if len(lines) < SHOWN:
                lines.append('%s: %s' % (key, what))
            if event and task != 'report':
                execute('HSET', DIRTY, key, event)
                repaired += 1
    if repaired:
        execute('XADD', STREAM, '*', '#', 'look')
    return lines + ['%d differences, %d to be repaired' % (count, repaired)]


url, name = gearsConfigGet('mongoUrl', None), gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo')
task = gearsConfigGet('reconcile', 'report')
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
if task not in ('report', 'repair', 'delete'):
    raise ValueError('reconcile is %r. Set it to report, repair or delete' % task)
if task != 'report' and not any('"MoviesWriteBehind.' in (one[5] or '') for one in execute('RG.DUMPREGISTRATIONS')):
    raise ValueError('movies_write_behind.py is not registered, and it is what repairs. Register it first')

GB('ShardsIDReader').flatmap(reconcile).run()
