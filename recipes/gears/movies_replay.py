"""Bring the dead letters of movies_write_behind.py back into its stream. The result is how many there were.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_replay.py

Mend first what the letter's `error` says: the document in Redis, or the index or validator in MongoDB. A letter whose
movie is in Redis brings the movie as it is there now. One whose movie is not (it was evicted, perhaps) brings its own
document and its own version, so that it replaces nothing newer. What is refused again becomes a new letter.
"""
PREFIX, PRIMARY_KEY = 'MovieEntity:', 'movieId'
STREAM = '_movies-stream-{%s}' % hashtag()
DEAD_LETTERS = '_movies-stream-dead-letters-{%s}' % hashtag()


def entry_of(letter):
    """What the stream gets: the movie as it is now, or the letter without what was noted about its failure."""
    key = letter['_original_key']
    if execute('TYPE', key) != 'ReJSON-RL':
        return {name: value for name, value in letter.items() if name not in ('attempts', 'error')}
    entry = {'_original_key': key, PRIMARY_KEY: key[len(PREFIX):], '#': '=', 'redisgears': execute('JSON.GET', key)}
    left = execute('PTTL', key)
    if left > 0:
        seconds, microseconds = map(int, execute('TIME'))
        entry['expires'] = seconds * 1000 + microseconds // 1000 + left
    return entry


def replay(shard):
    """Move what is there now, a page at a time; letters that come meanwhile stay."""
    newest = execute('XREVRANGE', DEAD_LETTERS, '+', '-', 'COUNT', 1)
    page, count = True, 0
    while newest and page:
        page = execute('XRANGE', DEAD_LETTERS, '-', newest[0][0], 'COUNT', 100)
        for letter_id, fields in page:
            with atomic():  # nothing is captured between the look at a movie and its entry
                entry = entry_of(dict(zip(fields[::2], fields[1::2])))
                execute('XADD', STREAM, '*', *[word for field in entry.items() for word in field])
            execute('XDEL', DEAD_LETTERS, letter_id)
            count += 1
    return count


GB('ShardsIDReader').map(replay).run()
