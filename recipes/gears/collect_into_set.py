"""Collect the names of the keys `person:*` into the set `people`; the result is how many there were.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/collect_into_set.py
    redis-cli SMEMBERS people
    redis-cli RG.CONFIGSET collectPrefix movie: collectInto movies   (for others)
"""
prefix = gearsConfigGet('collectPrefix', 'person:')
target = gearsConfigGet('collectInto', 'people')

# SADD of a member that is there changes nothing, so the script may run as often as one likes.
GB('KeysOnlyReader').foreach(lambda key: execute('SADD', target, key)).count().run(prefix + '*')
