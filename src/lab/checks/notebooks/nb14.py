"""Notebook 14: make a recipe of your own. What its checks look at is in `own_recipe/`."""

from __future__ import annotations

from lab.checks import needs
from lab.checks.exercise import Exercise
from lab.checks.own_recipe import capture, operation, reading, solutions, writing

CHANGE = Exercise(
    id="14-1",
    asks=("change",),
    stub="""\
def change(r, queue, key, command, cap, once):
    r.execute_command(command[0], key, *command[1:])
    r.xadd(queue, {"key": key, "doc": json.dumps(r.json().get(key))})
""",
    solution=solutions.CHANGE,
    hints=(
        "Three requests can be interrupted in two places. Who can do several things in one step for you?",
        "A script: `r.eval(text, 3, key, queue, once, cap, *command)`. In it, `redis.call(ARGV[2], KEYS[1], "
        "unpack(ARGV, 3))` runs the command. What has to be asked before that?",
        "In this order: `EXISTS KEYS[3]`, then it is done already; `XLEN KEYS[2]` against `tonumber(ARGV[1])`, then "
        "`redis.error_reply`; the command; `JSON.GET` (nothing there: `'null'`) into `XADD`; `SET KEYS[3] 1 EX 3600`.",
    ),
    check=capture.check,
    needs=needs.redis_takes_writes,
)

READ = Exercise(
    id="14-2",
    asks=("read", "acknowledge"),
    stub="""\
def read(r, queue):
    reply = r.xreadgroup("workers", "one", {queue: ">"}, count=500, noack=True)
    entries = [entry for _, entries in reply for entry in entries]
    if entries:
        r.xdel(queue, *[entry_id for entry_id, _ in entries])
    return entries


def acknowledge(r, queue, entries): ...  # they have left the queue already
""",
    solution=solutions.READ,
    hints=(
        "Who has the entries, when the worker dies right after `read`?",
        "Move what takes them out of the queue to where MongoDB has them. And what does a successor read first?",
        '`xreadgroup` with `{queue: "0"}` gives what was handed out and not acknowledged; only when that is empty, '
        "`>`. `acknowledge` does `xack` and `xdel`.",
    ),
    check=reading.check,
    needs=needs.redis_takes_writes,
)

OPERATION = Exercise(
    id="14-3",
    asks=("operation",),
    stub="""\
def operation(entry_id, entry):
    document = json.loads(entry["doc"])
    if document is None:
        return DeleteOne({"_id": entry["key"]})
    return UpdateOne({"_id": entry["key"]}, {"$set": document}, upsert=True)
""",
    solution=solutions.OPERATION,
    hints=(
        "What arrives last is not always what is newest. By what could MongoDB tell?",
        "A `ReplaceOne` with a condition: only over a document whose `_v` is smaller. And a delete has to leave a "
        "`_v` behind, too.",
        'The filter is `{"_id": entry["key"], "_v": {"$not": {"$gte": version}}}`, with `version` as in notebook 10, '
        'of `entry.get("version", entry_id)`. For a delete the document is `{"_deleted": True}`.',
    ),
    check=operation.check,
)

WRITE = Exercise(
    id="14-4",
    asks=("write",),
    stub="""\
def write(reviews, entries): ...  # yours: write them, return what MongoDB will never take
""",
    solution=solutions.WRITE,
    hints=(
        "Begin with the last entry of each key, by version and not by place, and one `bulk_write(…, ordered=False)`. "
        "What does MongoDB's yes mean, and how do you ask for more?",
        '`reviews.with_options(write_concern=WriteConcern(w="majority", j=True))`. Then the refusals: what PyMongo '
        'cannot even encode, try with `bson.encode`; what MongoDB refuses is in `failed.details["writeErrors"]`.',
        "An error has an `index` into what you sent, and an `errmsg`. With `_id_` in it, it is the fence, and no "
        "fault; any other goes into the list as `(entry_id, entry, errmsg)`. Other exceptions are an outage: "
        "let them pass.",
    ),
    check=writing.check,
    needs=needs.mongo,
)

EXERCISES = (CHANGE, READ, OPERATION, WRITE)
