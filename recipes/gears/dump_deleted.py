"""Log every deletion of an important key, after the client has its reply.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/dump_deleted.py
    redis-cli SET I-AM-IMPORTANT:1 x
    redis-cli DEL I-AM-IMPORTANT:1
    redis-cli XRANGE deleted-keys - +

The log is the stream `deleted-keys`, which keeps about the last 10,000 entries. The value is gone when the function
runs: who needs it has to keep it at each write. Expired keys are not deleted by anybody, so they are not in the log.
"""
NAME = 'DumpDeleted'
prefix = gearsConfigGet('importantPrefix', 'I-AM-IMPORTANT:')
target = gearsConfigGet('deletedLog', 'deleted-keys')


def dump(record):
    execute('XADD', target, 'MAXLEN', '~', 10000, '*', 'key', record['key'])


# Running the script again replaces what it registered before. The id is the second word, the description the sixth.
for registration in execute('RG.DUMPREGISTRATIONS'):
    if registration[5] == NAME:
        execute('RG.UNREGISTER', registration[1])

# async: a log must not make its users wait. A crash between a deletion and its log entry is the price to check.
GB('KeysReader', desc=NAME).foreach(dump).register(
    prefix=prefix + '*', eventTypes=['del'], mode='async', readValue=False
)
