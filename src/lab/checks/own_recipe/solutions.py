"""The pieces of notebook 14 as they hold all twelve."""

from __future__ import annotations

CHANGE = """\
CAPTURE = \"\"\"
if redis.call('EXISTS', KEYS[3]) == 1 then return 'OK' end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[1]) then
  return redis.error_reply('FULL the queue is full: nothing has changed')
end
redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
local doc = redis.call('JSON.GET', KEYS[1]) or 'null'
redis.call('XADD', KEYS[2], '*', 'key', KEYS[1], 'doc', doc)
redis.call('SET', KEYS[3], 1, 'EX', 3600)
return 'OK'
\"\"\"


def change(r, queue, key, command, cap, once):
    r.eval(CAPTURE, 3, key, queue, once, cap, *command)
"""

READ = """\
def read(r, queue):
    reply = r.xreadgroup("workers", "one", {queue: "0"}, count=500)
    if not any(entries for _, entries in reply):
        reply = r.xreadgroup("workers", "one", {queue: ">"}, count=500)
    return [entry for _, entries in reply for entry in entries]


def acknowledge(r, queue, entries):
    ids = [entry_id for entry_id, _ in entries]
    with r.pipeline() as both:
        both.xack(queue, "workers", *ids).xdel(queue, *ids)
        both.execute()
"""

OPERATION = """\
import json

from pymongo import ReplaceOne


def operation(entry_id, entry):
    milliseconds, counter = entry.get("version", entry_id).split("-")
    version = f"{int(milliseconds):020d}-{int(counter):020d}"
    document = json.loads(entry["doc"])
    if document is None:
        document = {"_deleted": True}
    older = {"_id": entry["key"], "_v": {"$not": {"$gte": version}}}
    return ReplaceOne(older, document | {"_v": version}, upsert=True)
"""

WRITE = """\
import json

import bson
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError


def write(reviews, entries):
    def age(pair):
        milliseconds, counter = pair[1].get("version", pair[0]).split("-")
        return int(milliseconds), int(counter)

    last = {entry["key"]: (entry_id, entry) for entry_id, entry in sorted(entries, key=age)}
    sent, operations, refused = [], [], []
    for entry_id, entry in last.values():
        try:
            if len(bson.encode(json.loads(entry["doc"]) or {})) > 16_000_000:
                raise ValueError("larger than 16 MB")
            operations.append(operation(entry_id, entry))
            sent.append((entry_id, entry))
        except (ValueError, TypeError, OverflowError, bson.errors.BSONError) as error:
            refused.append((entry_id, entry, error))

    safe = reviews.with_options(write_concern=WriteConcern(w="majority", j=True))
    try:
        if operations:
            safe.bulk_write(operations, ordered=False)
    except BulkWriteError as failed:
        if failed.details["writeConcernErrors"]:
            raise
        for error in failed.details["writeErrors"]:
            if "_id_" not in error["errmsg"]:  # that one is the fence: a newer document is there
                refused.append((*sent[error["index"]], error["errmsg"]))
    return refused
"""

ALL = (CHANGE, READ, OPERATION, WRITE)
