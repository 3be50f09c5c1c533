"""Which registrations a key belongs to."""

from hypothesis import given
from hypothesis import strategies as st

from minigears.prefixmap import PrefixMap

TEXTS = st.text("ab", max_size=5).map(str.encode)


@given(st.lists(st.tuples(TEXTS, st.booleans())), TEXTS)
def test_finds_what_a_look_at_each_entry_finds(entries, key):
    found = PrefixMap((text, exact, n) for n, (text, exact) in enumerate(entries))
    expected = [
        n
        for n, (text, exact) in enumerate(entries)
        if (key == text if exact else key.startswith(text))
    ]
    assert found.find(key) == expected
    assert (key in found) == bool(expected)


@given(st.lists(st.tuples(TEXTS, st.booleans())), TEXTS)
def test_the_outermost_cover_the_same_keys_and_not_one_another(entries, key):
    everything = PrefixMap((text, exact, None) for text, exact in entries)
    outermost = everything.outermost()
    assert (key in PrefixMap((*entry, None) for entry in outermost)) == (key in everything)
    for text, exact in outermost:
        others = PrefixMap((*e, None) for e in outermost if e != (text, exact) and not e[1])
        assert text not in others


def test_a_look_up_tries_lengths_not_prefixes():
    many = PrefixMap((b"key%d:" % n, False, n) for n in range(100_000))
    assert many.find(b"key99999:1") == [99_999]
    assert many._lengths == [5, 6, 7, 8, 9]
