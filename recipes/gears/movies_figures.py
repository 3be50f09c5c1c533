"""Figures of movies_write_behind.py, in Prometheus's text format: depth, age, lag, dead letters, failures.

    gears-cli run --host 127.0.0.1 --port 6379 recipes/gears/movies_figures.py

Run it every so often and put the lines where Prometheus finds them, as in a file for node_exporter's textfile collector.
What to be woken for: `oldest_seconds` grows (MongoDB is away, or the worker stands still), `queue_entries` nears
`streamLimit`, `dead_letters` is not 0, `registered` is 0.
"""
NAME = 'MoviesWriteBehind'
STREAM = '_movies-stream-{%s}' % hashtag()
DEAD_LETTERS = '_movies-stream-dead-letters-{%s}' % hashtag()
DIRTY = '_movies-dirty-{%s}' % hashtag()


def oldest():
    """Seconds that the oldest entry has waited, by Redis's clock; 0 when none waits."""
    first = execute('XRANGE', STREAM, '-', '+', 'COUNT', 1)
    if not first:
        return 0
    seconds, microseconds = map(int, execute('TIME'))
    return max(0, seconds + microseconds / 1e6 - int(first[0][0].split('-')[0]) / 1000)


def figures(shard):
    """The lines."""
    readers = {'KeysReader': [], 'StreamReader': []}
    for one in execute('RG.DUMPREGISTRATIONS'):
        if '"%s.' % NAME in (one[5] or '') and one[3] in readers:
            readers[one[3]].append(dict(zip(one[7][::2], one[7][1::2])))
    yield 'movies_registered %d' % all(readers.values())
    yield 'movies_queue_entries %d' % execute('XLEN', STREAM)
    yield 'movies_queue_dirty_keys %d' % execute('HLEN', DIRTY)
    yield 'movies_oldest_seconds %.3f' % oldest()
    yield 'movies_dead_letters %d' % execute('XLEN', DEAD_LETTERS)
    for data in readers['StreamReader']:
        yield 'movies_batches_failed_total %d' % data['numFailures']
        if 'lastEstimatedLagMS' in data:  # of the last batch: from its oldest entry to the database's yes
            yield 'movies_lag_seconds %.3f' % (data['lastEstimatedLagMS'] / 1000)


GB('ShardsIDReader').flatmap(lambda shard: list(figures(shard))).run()
