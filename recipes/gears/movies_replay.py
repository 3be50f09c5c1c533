"""Bring the dead letters of movies_write_behind.py back into its stream. The result is how many there were.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_replay.py

Mend first what the letter's `error` says: the document in Redis, or the index or validator in MongoDB. A letter whose
movie is in Redis brings the movie as it is there now. One whose movie is not (it was evicted, perhaps) brings its own
document and its own version, so that it replaces nothing newer. What is refused again becomes a new letter. A delete is
remembered for a day: a letter that is older and whose movie is not in Redis stays where it is, since nobody knows any more
whether the movie was deleted. To bring it back, write the movie again.
"""
PREFIX, PRIMARY_KEY, DAY = 'MovieEntity:', 'movieId', 24 * 3600 * 1000
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


def now():
    """Milliseconds since 1970 by Redis's clock, which dated the letters; where it stepped back, by the newest entry."""
    seconds, microseconds = map(int, execute('TIME'))
    newest = execute('XREVRANGE', STREAM, '+', '-', 'COUNT', 1) + execute('XREVRANGE', DEAD_LETTERS, '+', '-', 'COUNT', 1)
    return max([seconds * 1000 + microseconds // 1000] + [int(entry_id.split('-')[0]) for entry_id, _ in newest])


def may_be_deleted(letter):
    """Whether its movie is gone and its write is older than deletes are remembered."""
    written = int(letter['version'][:20]) if 'version' in letter else 0
    return now() - written >= DAY and execute('TYPE', letter['_original_key']) != 'ReJSON-RL'


def replay(shard):
    """Move what is there now, a page at a time; letters that come meanwhile stay."""
    newest = execute('XREVRANGE', DEAD_LETTERS, '+', '-', 'COUNT', 1)
    page, count, after = True, 0, '-'
    while newest and page:
        page = execute('XRANGE', DEAD_LETTERS, after, newest[0][0], 'COUNT', 100)
        for letter_id, fields in page:
            letter, after = dict(zip(fields[::2], fields[1::2])), '(' + letter_id
            with atomic():  # nothing is captured between the look at a movie and its entry
                if may_be_deleted(letter):
                    continue
                entry = entry_of(letter)
                execute('XADD', STREAM, '*', *[word for field in entry.items() for word in field])
            execute('XDEL', DEAD_LETTERS, letter_id)
            count += 1
    return count


GB('ShardsIDReader').map(replay).run()
