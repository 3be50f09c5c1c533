"""Python's collector of circles looks at events that are on their way as seldom as can be."""

from __future__ import annotations

from tests.minigears.executor.fakedoor import FakeDoor

_READS = """
def reads(record):
    for n in range(5):
        execute('GET', 'value:%d' % n)
    execute('SET', 'written', record['key'])
GB('KeysReader').foreach(reads).register('k:*', mode='sync')
"""


def collections(door: FakeDoor) -> int:
    """How often the collector has looked, in whichever generation."""
    script = "GB('PythonReader').map(lambda _: sum(g['collections'] for g in gc.get_stats()))"
    return int(door.results(f"import gc\n{script}.run(lambda: iter([0]))")[0])


def test_events_that_are_on_their_way_together_make_it_look_no_more(shared_door: FakeDoor) -> None:
    """At 700 objects, Python's own limit, it looked three times for each fifty."""
    door = shared_door
    door.script(_READS)
    (registration,) = door.ids
    fifty = [(registration, b"k:%d" % n, "set") for n in range(50)]
    door.wait_done(*door.events(fifty))
    before = collections(door)
    for _ in range(100):
        door.wait_done(*door.events(fifty))
    assert collections(door) - before < 20
