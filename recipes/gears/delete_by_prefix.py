"""Delete every key that begins with a prefix; the result is how many there were.

    redis-cli RG.CONFIGSET deletePrefix session:
    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/delete_by_prefix.py
"""
prefix = gearsConfigGet('deletePrefix', None)

# No default: a deletion that nobody asked for is worse than an error.
if not prefix:
    raise ValueError('deletePrefix is not set. Set it first: redis-cli RG.CONFIGSET deletePrefix PREFIX')

# The reader takes a pattern, in which `*`, `?` and `[` are special. The filter takes the prefix as it is written.
# UNLINK and not DEL: Redis frees large values in the background and goes on serving others.
GB('KeysOnlyReader') \
    .filter(lambda key: key.startswith(prefix)) \
    .foreach(lambda key: execute('UNLINK', key)) \
    .count() \
    .run(prefix + '*')
