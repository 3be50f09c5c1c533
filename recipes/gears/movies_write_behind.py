"""Write-behind for movies: JSON written to `MovieEntity:*` in Redis reaches MongoDB a moment later.

    redis-cli RG.CONFIGSET mongoUrl mongodb://127.0.0.1:27017
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_write_behind.py \
        REQUIREMENTS rgsync==1.2.0 pymongo==3.12.0

    JSON.SET ──▶ capture ──▶ stream ──▶ MovieConnector ──▶ MongoDB
              before the reply          in batches, later

The stream's entries look as rgsync's do. The two ends are our own, because rgsync 1.2.0 as shipped loses or blocks
writes at both; "trap" refers to the list in README.md. Beside this file: movies_replay.py brings dead letters back,
movies_reconcile.py finds and repairs what differs, for example after FLUSHALL, which raises no event. `evicted` deletes
nothing, on purpose: Redis needed the memory, nobody deleted the movie. Left out: several workers, several shards.
"""
import json
import random
import re
import time
from datetime import datetime, timedelta
from threading import Thread

import bson
from bson.errors import BSONError
from pymongo import DeleteMany, MongoClient, ReplaceOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError
from rgsync.common import OP_KEY, OPERATION_DEL_REPLICATE, OPERATION_UPDATE_REPLICATE, ORIGINAL_KEY
from rgsync.Connectors import MongoConnection, MongoConnector

NAME, VERSION = 'MoviesWriteBehind', '2.0.0'
PREFIX, COLLECTION, PRIMARY_KEY, DOCUMENT = 'MovieEntity:', 'movies', 'movieId', 'redisgears'
# Trap 10: names that stay the same, so that a new version finds what the old one had not written yet.
STREAM = '_movies-stream-{%s}' % hashtag()
DEAD_LETTERS = '_movies-stream-dead-letters-{%s}' % hashtag()
DIRTY = '_movies-dirty-{%s}' % hashtag()  # a hash: keys that found no room in the stream, and their last event
TOMBSTONES = COLLECTION + '_deleted'  # which movies were deleted, and by which version
DELETES = ['del', 'json.del', 'expired', 'rename_from', 'move_from']  # after these, no key means: deleted
VERSION_OF_OURS = re.compile(r'0[0-9]{19}-[0-9]{20}(-[0-9]{20})?')  # ms and number of an id; and see version_without_entry
BATCH, NO_LIMIT, ATTEMPTS, MAX_BYTES = 100, 10 ** 12, 5, 16 * 1024 * 1024  # the last is MongoDB's limit for one document
# Every wait for MongoDB has an end: a worker that waits for ever cannot be replaced by one that knows a better address.
LIMITS = dict(serverSelectionTimeoutMS=3000, connectTimeoutMS=3000, socketTimeoutMS=8000, retryWrites=False)
# What MongoDB says when it is not the document's fault: not primary, stepping down, no disk, no rights, too slow, …
PASSING = {6, 7, 11, 13, 18, 24, 39, 46, 50, 63, 64, 79, 89, 91, 100, 112, 133, 146, 150, 189, 202, 234, 251, 262, 317, 371}
PASSING |= {391, 8000, 9001, 10058, 10107, 11600, 11601, 11602, 12501, 13388, 13435, 13436, 14031}
# And what it says about a document: not valid, nested too deep, too large, a unique index, a validator, no such place, …
PERMANENT = {2, 9, 14, 15, 22, 28, 52, 53, 55, 56, 57, 66, 121, 171, 10334, 11000, 16755, 17262, 17280}
# An entry, while there is room; else the key, whose document is read again later, and the stream has something to do.
ADD = """
if redis.call('XLEN', KEYS[1]) < tonumber(ARGV[1]) then
  local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
  redis.call('HDEL', KEYS[2], ARGV[2])
  return id
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('XADD', KEYS[1], '*', '#', 'look') end
"""
# Copies of all entries, in their order, with ids after ARGV[1]. Those in hand, the rest of ARGV, leave the stream by themselves.
# Of each key only the last gets a newer version: MongoDB may have it already, and would go back for a moment.
RENEW = """
local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not top then return end
local in_hand, last = {}, {}
for i = 3, #ARGV do in_hand[ARGV[i]] = true end
local function each(visit)
  local from, page = '-', nil
  repeat
    page = redis.call('XRANGE', KEYS[1], from, top[1], 'COUNT', 1000)
    for _, entry in ipairs(page) do
      local fields = {}
      for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
      visit(entry[1], entry[2], not fields.version and fields[ARGV[2]])
      from = '(' .. entry[1]
    end
  until #page < 1000
end
each(function(id, _, key) if key then last[key] = id end end)
redis.pcall('XSETID', KEYS[1], ARGV[1])  -- refused where ids are beyond it already
each(function(id, words, key)
  if key and last[key] ~= id then
    local ms, number = id:match('(%d+)-(%d+)')
    table.insert(words, 'version')
    table.insert(words, ('0'):rep(20 - #ms) .. ms .. '-' .. ('0'):rep(20 - #number) .. number)
  end
  redis.call('XADD', KEYS[1], '*', unpack(words))
  if not in_hand[id] then redis.call('XDEL', KEYS[1], id) end
end)
"""


def entry_of(key, event):
    """The entry that says how a key is now; None when there is nothing to say."""
    # Trap 8: rgsync takes split(':')[1] for the id, so `MovieEntity:a:b` and `MovieEntity:a:c` are one movie.
    entry = {ORIGINAL_KEY: key, PRIMARY_KEY: key[len(PREFIX):]}
    try:
        document = execute('JSON.GET', key)
    except Exception:
        if execute('TYPE', key) == 'ReJSON-RL':
            raise
        return {**entry, OP_KEY: OPERATION_DEL_REPLICATE}  # SET, RENAME, SORT … STORE: it is no movie any more
    if document is not None:
        entry.update({OP_KEY: OPERATION_UPDATE_REPLICATE, DOCUMENT: document})
        left = execute('PTTL', key)
        return {**entry, 'expires': now_us() // 1000 + left} if left > 0 else entry
    # Written and gone: the event of its going comes next, unless it was evicted.
    return {**entry, OP_KEY: OPERATION_DEL_REPLICATE} if event in DELETES else None


def now_us():
    """Microseconds since 1970 by Redis's clock, by which keys expire and entries have their ids. Ours may be a day off."""
    seconds, microseconds = map(int, execute('TIME'))
    return seconds * 1000000 + microseconds


def add(entry, event, room, script=ADD):
    """Add an entry to a stream shorter than `room`. None: the key is in DIRTY instead."""
    words = [word for field in entry.items() for word in field]
    return execute('EVAL', script, 2, STREAM, DIRTY, room, entry[ORIGINAL_KEY], event, *words)


def capture(record):
    """Put the document, as it is now, into the stream. Runs before the client has its reply."""
    key, event = record['key'], record['event']
    entry = entry_of(key, event) if event != 'evicted' else None
    if entry is None:
        return
    # The last places are for those that wait in DIRTY. Redis may evict a movie with a TTL before it is read again: its
    # entry is added in any case.
    room, when_full = (limit - BATCH, 0) if 'expires' not in entry else (NO_LIMIT, NO_LIMIT)
    try:
        add(entry, event, room)
    except Exception as error:
        log('%s: no entry for %s: %s' % (NAME, key, error), level='warning')
        if 'WRONGTYPE' in str(error):
            set_aside()
        try:  # there is no memory for a document, but for a key
            add(entry, event, when_full, ADD_WHEN_FULL)
        except Exception as again:
            if 'READONLY' in str(again):  # a replica now: what its new master does not have is gone here, too
                raise
            # MISCONF, NOREPLICAS: Redis takes no entry at all. Then the writer waits for MongoDB, as with write-through.
            connector.write([{'value': {**entry, 'version': version_without_entry()}}])


def version_without_entry():
    """Newer than every entry so far and older than the next one, whatever any clock says."""
    last = stream_info().get('last-generated-id') or '%d-0' % (now_us() // 1000)
    connector.directly = max(connector.directly + 1, now_us())
    return '%s-%020d' % (version_of(last), connector.directly)


def stream_info():
    """What XINFO says of the stream; nothing while there is none."""
    info = execute('XINFO', 'STREAM', STREAM) if execute('EXISTS', STREAM) else []
    return dict(zip(info[::2], info[1::2]))


def is_lost(entry_id):
    """Whether this stream has and had no such entry. Greater ids alone say nothing: the clock may have caught up.

    Entries leave in order, or nearly: none as new as this one has yet. Redis 6 keeps no note of what left.
    """
    info = stream_info()
    given, gone = info.get('last-generated-id'), info.get('max-deleted-entry-id')
    if not given or version_of(entry_id) > version_of(given):
        return bool(given)
    if not gone or version_of(entry_id) <= version_of(gone):
        return False
    return not execute('XRANGE', STREAM, entry_id, entry_id)


def version_of(entry_id):
    """An entry's id as a text that sorts as ids do."""
    return '%020d-%020d' % tuple(map(int, entry_id.split('-')))


def set_aside():
    """Rename what has one of our names and is of another type: nothing is lost, and the stream goes on."""
    for name, kind in ((STREAM, 'stream'), (DIRTY, 'hash'), (DEAD_LETTERS, 'stream')):
        if execute('TYPE', name) not in (kind, 'none'):
            execute('RENAME', name, '%s-set-aside-%d' % (name, time.time() * 1000))


def catch_up():
    """Put keys from DIRTY into the stream, at most a batch. Nothing is captured meanwhile: `atomic`."""
    added = 0
    while added < BATCH and execute('XLEN', STREAM) < limit:
        marks = execute('HSCAN', DIRTY, '0', 'COUNT', BATCH)[1]
        if not marks:
            return
        for key, event in list(zip(marks[::2], marks[1::2]))[:BATCH - added]:
            with atomic():
                entry = entry_of(key, event)
                if entry is None:
                    execute('HDEL', DIRTY, key)
                elif add(entry, event, limit, ADD_WHEN_FULL):
                    added += 1


def bury(entry, error, attempts):
    """Keep what MongoDB will never take, with the reason. Trap 13: rgsync tries it for ever, and nothing passes it."""
    log('%s: dead letter: %s' % (NAME, error), level='warning')
    words = [word for field in entry.items() for word in field] + ['attempts', attempts, 'error', error]
    execute('EVAL', WHEN_FULL + "return redis.call('XADD', KEYS[1], '*', unpack(ARGV))", 1, DEAD_LETTERS, *words)


def dangers():
    """What in Redis's settings breaks the promise, as (whether it must not be, sentence)."""
    info = dict(line.split(':', 1) for line in execute('INFO').splitlines() if ':' in line)
    policy = info['maxmemory_policy']
    if policy.startswith('allkeys'):
        mend = policy.replace('allkeys', 'volatile')
        yield True, 'Redis may evict the stream: redis-cli CONFIG SET maxmemory-policy ' + mend
    if info['role'] not in ('master', 'primary'):
        yield True, 'this Redis is a replica: register at its master'
    if info['aof_enabled'] == '0':
        yield False, 'a crash of Redis loses acknowledged writes: redis-cli CONFIG SET appendonly yes'


def passing(error):
    """Whether MongoDB, and not a document, is the reason: then the batch comes again, however long that takes."""
    if isinstance(error, BulkWriteError):
        codes = [one.get('code') for one in error.details['writeErrors']]
        return bool(error.details['writeConcernErrors']) or not PASSING.isdisjoint(codes)
    labels = ('RetryableWriteError', 'TransientTransactionError')
    return isinstance(error, (ConnectionFailure, MemoryError)) or getattr(error, 'code', None) in PASSING or (
        isinstance(error, PyMongoError) and any(map(error.has_error_label, labels)))


def explain(error):
    """The code and the text of what went wrong with one document."""
    if isinstance(error, BulkWriteError) and error.details['writeErrors']:
        first = error.details['writeErrors'][0]
        return first.get('code'), first.get('errmsg', '')
    return getattr(error, 'code', None), '%s: %s' % (type(error).__name__, error)


class MovieConnector(MongoConnector):
    """Writes batches of the stream's entries. One lives in the worker; it is pickled before it has a connection."""

    _database, _prepared, _failures, _told, _added, directly = None, 0, 0, '', 0, 0
    _ahead = timedelta()  # by how much MongoDB's clock is ahead of Redis's

    def collection_of(self, name):
        """Trap 5: rgsync makes a client for each batch and never closes one. This one is made once, at first use."""
        if self._database is None:
            self._database = MongoClient(self.connection._getConnectionStr, **LIMITS)[self.db]
        # Acknowledged means: in the journal of most members. Only then may entries leave the stream.
        return self._database.get_collection(name, write_concern=WriteConcern(w='majority', j=True, wtimeout=5000))

    @property
    def collection(self):
        return self.collection_of(self.TableName())

    def now(self):
        """What MongoDB's clock says, by which it lets documents expire."""
        self.collection  # has made the client
        return self._database.client.admin.command('isMaster')['localTime']

    def fence(self, entry):
        """Finds the document only if it is older than the entry. What has no version is older than all."""
        found = {self.PrimaryKey(): entry[self.PrimaryKey()], '_v': {'$not': {'$gte': entry['version']}}}
        bson.encode(found)  # a key may be no UTF-8
        return found

    def DeleteQuery(self, entry):
        return DeleteMany(self.fence(entry))

    def AddOrUpdateQuery(self, entry, dataKey):
        """Raises whatever makes the document impossible to write: trap 4, rgsync tries such a document for ever."""
        key, document = entry[self.PrimaryKey()], json.loads(entry[dataKey])  # trap 1: rgsync makes " of every '
        if not isinstance(document, dict):
            raise ValueError('not a JSON object')
        if not document.keys().isdisjoint(('_id', '_v', '_expires')):
            raise ValueError("_id, _v and _expires are not the document's own fields")
        # Trap 2: rgsync may write 1 where the key says "1". The key says it, whatever a renamed document says.
        document.pop(self.PrimaryKey(), None)
        document = {self.PrimaryKey(): key, '_v': entry['version'], **document}
        if 'expires' in entry:  # a TTL index deletes it, also when nobody sees the key expire
            document['_expires'] = datetime.utcfromtimestamp(int(entry['expires']) / 1000) + self._ahead
        if len(bson.encode(document)) > MAX_BYTES:  # encoding also finds integers over 64 bits
            raise ValueError('larger than %d bytes' % MAX_BYTES)
        # Trap 3: rgsync's $set leaves a removed field in MongoDB, and makes a path of a field with a dot.
        return ReplaceOne(self.fence(entry), document, upsert=True)

    def WriteData(self, data, dataKey=DOCUMENT):
        """Write a batch. Raises when MongoDB is away; then it comes again, and once more does no harm."""
        self.watch_over()
        try:
            self.write(data, dataKey)
        except Exception:
            self._failures += 1  # back off, with jitter; a second of Gears's own comes on top
            time.sleep(random.uniform(0, min(5, 0.1 * 2 ** min(self._failures, 9))))
            raise
        self._failures = 0
        catch_up()

    def write(self, data, dataKey=DOCUMENT):
        """One operation for each key, the newest: so one that fails need not stop the others."""
        latest, refused = {}, []
        if any('expires' in record['value'] for record in data):
            self._ahead = self.now() - datetime.utcfromtimestamp(now_us() / 1000000)
        for record in data:
            # An entry without a version has its id's: ids grow. One that comes back brings the version that it had.
            entry = record['value']
            if 'version' not in entry:
                entry = {'version': version_of(record['id']), **entry}
            try:
                if entry[OP_KEY] == OPERATION_UPDATE_REPLICATE:
                    query = self.AddOrUpdateQuery(entry, dataKey)
                elif entry[OP_KEY] == OPERATION_DEL_REPLICATE:
                    query = self.DeleteQuery(entry)
                else:
                    continue  # a reason to look into DIRTY, no more
                known = latest.get(entry[self.PrimaryKey()])
                if known is None or known[0]['version'] < entry['version']:
                    latest[entry[self.PrimaryKey()]] = (entry, query)
            except Exception as error:
                refused.append((entry, explain(error)[1], 1))
        if latest:
            self.prepare()
            versions = {key: entry['version'] for key, (entry, _) in latest.items()}
            late = self.newer(versions)
            if self.went_back(late.values(), [record['id'] for record in data if 'id' in record]):
                return  # what is in hand comes again
            work = {key: pair for key, pair in latest.items() if key not in late}
            refused += self.apply(work)
            # Deleted while we wrote, by the worker that took our place: then it is our write that came late. Or by
            # this very batch, when it was broken off between the note and the deed: then the deed is left to do.
            for one in self.collection_of(TOMBSTONES).find({'_id': {'$in': list(latest)}}):
                self.collection.delete_many(self.fence({self.PrimaryKey(): one['_id'], 'version': one['_v']}))
        for letter in refused:  # after the others are safe: a batch that comes again would bury them again
            bury(*letter)

    def prepare(self):
        """Once a second: MongoDB may have lost its data, and the indexes with it."""
        if self._prepared and time.monotonic() - self._prepared < 1:
            return
        try:
            self.collection.create_index(self.PrimaryKey(), unique=True)  # else each upsert reads all documents
        except OperationFailure as error:
            if passing(error):
                raise
            self.tell('no unique index: %s' % error)  # duplicates, or another index; `newer` keeps one of each
        self.collection.create_index('_expires', expireAfterSeconds=0)
        self.collection_of(TOMBSTONES).create_index('at', expireAfterSeconds=24 * 3600)
        self.collection.delete_many({'_expires': {'$lt': self.now()}})  # for a MongoDB without TTL monitor
        self._prepared = time.monotonic()

    def newer(self, versions):
        """Versions of documents and tombstones that are at least as new, by key. Of duplicates the newest stays."""
        found, keys = {}, list(versions)
        documents = self.collection.find({self.PrimaryKey(): {'$in': keys}}, {self.PrimaryKey(): 1, '_v': 1})
        for one in sorted(documents, key=lambda one: one.get('_v', '')):
            before = found.get(one[self.PrimaryKey()])
            if before:
                self.collection.delete_one({'_id': before['_id']})
            found[one[self.PrimaryKey()]] = one
        late = {key: one['_v'] for key, one in found.items() if one.get('_v', '') >= versions[key]}
        buried = self.collection_of(TOMBSTONES).find({'_id': {'$in': keys}})
        return {**late, **{one['_id']: one['_v'] for one in buried if one['_v'] >= versions[one['_id']]}}

    def went_back(self, versions, in_hand):
        """Whether MongoDB has a version that Redis has lost, and entries wait that look older. Then these get newer ids.

        Redis was taken back, by a power cut, a backup or a late replica, and its clock was behind what it has lost: what
        is written then would look older than that. What is no version of ours says nothing: a stranger wrote it.
        """
        newest = max(filter(VERSION_OF_OURS.fullmatch, versions), default='')
        if not (newest and in_hand):
            return False
        lost = '%d-%d' % tuple(map(int, newest.split('-')[:2]))
        if not is_lost(lost) or not execute('XRANGE', STREAM, '-', lost, 'COUNT', 1):
            return False
        self.tell('Redis went back, and its clock was behind. Versions go on after %s' % newest)
        execute('EVAL', WHEN_FULL + RENEW, 1, STREAM, lost, ORIGINAL_KEY, *in_hand)
        return True

    def apply(self, work):
        """Write, and return what MongoDB refuses. Raises when it is MongoDB that cannot write."""
        pk, pairs = self.PrimaryKey(), list(work.values())
        stones = [
            UpdateOne({'_id': entry[pk]}, {'$max': {'_v': entry['version']}, '$currentDate': {'at': True}}, upsert=True)
            for entry, query in pairs if isinstance(query, DeleteMany)
        ]
        if stones:  # first the note, then the deed: a write that comes late finds one of them
            self.collection_of(TOMBSTONES).bulk_write(stones, ordered=False)
        try:
            if pairs:
                self.collection.bulk_write([query for _, query in pairs], ordered=False)
            suspects = []
        except Exception as error:
            if passing(error):
                raise
            some = isinstance(error, BulkWriteError)  # else the whole command failed, and does not say at which
            suspects = [pairs[one['index']] for one in error.details['writeErrors']] if some else pairs
        return [letter for pair in suspects for letter in self.alone(*pair)]

    def alone(self, entry, query):
        """Write one operation by itself: what is wrong with it is what is wrong with its document."""
        key = entry[self.PrimaryKey()]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.collection.bulk_write([query])
                return
            except Exception as error:
                if passing(error):
                    raise
                code, text = explain(error)
                if code == 11000 and key in self.newer({key: entry['version']}):
                    return  # there is a newer one: the fence held
                if isinstance(error, BSONError) or code in PERMANENT and self.PrimaryKey() + '_1' not in text:
                    break
            # An error that nobody knows. If MongoDB takes another document, then it is this one's fault.
            self.collection_of(TOMBSTONES).replace_one({'_id': 0}, {'_id': 0}, upsert=True)
            time.sleep(random.uniform(0, 0.1 * 2 ** attempt))
        yield entry, '%s: %s' % (code, text), attempt

    def watch_over(self):
        """While all runs somebody may change Redis's settings, or delete the stream."""
        for _, danger in dangers():
            self.tell(danger)
            if 'maxmemory-policy' in danger:
                execute(*danger.partition('redis-cli ')[2].split())
        added = stream_info().get('entries-added', 0)
        if added < self._added:
            self.tell('the stream was lost (FLUSHALL, DEL?). All movies are written again; see movies_reconcile.py')
            for key in keys_of_movies():
                execute('HSET', DIRTY, key, 'change')
        self._added = added

    def tell(self, text):
        if text != self._told:
            log('%s: %s' % (NAME, text), level='warning')
        self._told = text


def keys_of_movies():
    """All keys of the prefix, a page at a time."""
    cursor = None
    while cursor != '0':
        cursor, keys = execute('SCAN', cursor or '0', 'MATCH', PREFIX + '*', 'COUNT', 1000)
        yield from keys


def sweep():
    """What expired while nobody looked. In a thread: MongoDB may be away."""
    Thread(target=connector.prepare, daemon=True).start()


# Read now, so that it is part of the registration: after a restart RedisGears has forgotten it.
url = gearsConfigGet('mongoUrl', None)
if not url:
    raise ValueError('mongoUrl is not set. Set it first: redis-cli RG.CONFIGSET mongoUrl mongodb://HOST:PORT')
database, limit = gearsConfigGet('mongoDatabase', 'dbSpeedMernDemo'), int(gearsConfigGet('streamLimit', 100000))
if limit < 2 * BATCH:
    raise ValueError('streamLimit is %d. Set it to %d entries or more' % (limit, 2 * BATCH))
WHEN_FULL = '#!lua flags=allow-oom\n' if 'redis_version:6' not in execute('INFO', 'server') else ''
ADD_WHEN_FULL = WHEN_FULL + ADD
for fatal, danger in dangers():
    if fatal:
        raise ValueError(danger)
    log('%s: %s' % (NAME, danger), level='warning')
connector = MovieConnector(MongoConnection('', '', '', conn_string=url), database, COLLECTION, PRIMARY_KEY)
desc = '{"name": "%s.%s", "version": "' + VERSION + '"}'

# Trap 12: every event, as no list of them stays complete. rgsync knows 9.
GB('KeysReader', desc=desc % (NAME, 'KeysReader')).foreach(capture).register(
    prefix=PREFIX + '*', mode='sync', readValue=False, convertToStr=False
)
GB('StreamReader', desc=desc % (NAME, 'StreamReader')) \
    .aggregate([], lambda batch, record: batch + [record], lambda one, other: one + other) \
    .foreach(lambda batch: connector.WriteData(batch)) \
    .count() \
    .register(
        prefix=STREAM, batch=BATCH, duration=100, mode='async_local', onRegistered=sweep,
        onFailedPolicy='retry', onFailedRetryInterval=1, convertToStr=False,
    )

# Trap 11: rgsync removes the earlier version first. Here nothing is removed when a line above fails. A registration's
# id is its second word, its description the sixth. Those of rgsync's own class with this name go, too.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if '"%s.' % NAME in (registration[5] or ''):
        execute('RG.UNREGISTER', registration[1])
