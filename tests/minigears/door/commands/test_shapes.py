"""Chunks that are relayed at a glance are exactly those that parsing would have relayed."""

from hypothesis import given
from hypothesis import strategies as st

from minigears.commandtable import CommandTable
from minigears.door.commands.classifier import Classifier
from minigears.door.commands.parser import RequestParser
from minigears.door.commands.shapes import MAX_NAME, Glance
from minigears.interest import Interest
from minigears.protocol import encode_command

WORDS = st.one_of(
    st.sampled_from([b"", b"k", b"*1\r\n$4\r\nPING\r\n", b"\r\n", b"$3\r\n"]),
    st.binary(max_size=120),
    st.integers(95, 1200).map(lambda length: b"\r\n$" * (length // 3) + b"x" * (length % 3)),
)
COMMANDS = st.lists(
    st.tuples(st.sampled_from([b"SET", b"get", b"%b.|("]), WORDS, WORDS), min_size=1
)


def taught(*commands):
    glance = Glance()
    glance.learn([list(command) for command in commands])
    return glance


@given(COMMANDS, st.integers(0, 400), WORDS)
def test_what_is_covered_is_whole_commands_of_known_shapes(commands, cut, junk):
    glance = taught(*commands)
    whole = b"".join(map(encode_command, commands))
    assert glance.covers(whole) == all(len(key) < 100 for _, key, _ in commands)
    for chunk in (whole[:cut], whole[cut:], whole + junk, junk + whole):
        if glance.covers(chunk):
            parser = RequestParser()
            parser.feed(chunk)
            assert parser.raw == chunk
            assert not parser.held


def test_other_names_and_other_numbers_of_words_are_not_covered():
    glance = taught([b"SET", b"k", b"v"])
    assert glance.covers(encode_command([b"SET", b"other", b"value"]))
    assert not glance.covers(encode_command([b"set", b"k", b"v"]))
    assert not glance.covers(encode_command([b"SET", b"k"]))
    assert not glance.covers(encode_command([b"RG.X", b"k", b"v"]))
    assert not glance.covers(b"")


def test_shapes_that_a_client_makes_up_do_not_fill_the_memory():
    glance = Glance()
    for number in range(1000):
        glance.learn([[b"made-up-%d" % number]])
    assert glance.covers(encode_command([b"made-up-3"]))
    assert not glance.covers(encode_command([b"made-up-999"]))


def test_a_long_name_is_not_learnt():
    """An expression with five million letters takes seconds to compile, and everybody waits."""
    for words in ([b"x" * 5_000_000], [b"SET" + b"x" * MAX_NAME, b"k", b"v"]):
        assert not taught(words).covers(encode_command(words))


def test_names_that_a_client_makes_up_are_forgotten():
    kinds = classifier("movie:*")
    for number in range(5_000):
        kinds.kind([b"%0100d" % number])
        kinds.kind([b"n%d" % number])
    assert sum(map(len, kinds)) < 64 * 1024


def test_names_of_redis_are_remembered_whatever_was_made_up_before():
    table = CommandTable.from_reply([[b"get", 2, [b"readonly"], 1, 1, 1]])
    kinds = Classifier(table, Interest())
    for number in range(5_000):
        kinds.kind([b"n%d" % number])
    for name in (b"get", b"GET"):
        kinds.kind([name, b"k"])
        assert name in kinds


def classifier(*prefixes):
    watch = {"id": "r", "events": None, "commands": None, "mode": "sync"}
    keys = [{**watch, "prefix": prefix} for prefix in prefixes]
    interest = Interest.from_frame({"keys": keys, "streams": [], "hooks": []})
    return Classifier(CommandTable({}), interest)


def seen(classifier, *commands):
    """Have the classifier see commands as a client sends them; whether it knows them now."""
    raw = b"".join(map(encode_command, commands))
    for argv in commands:
        classifier.kind(list(argv))
    classifier.passes([list(argv) for argv in commands], raw)
    return classifier.glance(raw)


def test_a_key_that_a_registration_is_about_is_never_passed_at_a_glance():
    watching = classifier("movie:*", "one")
    assert seen(watching, (b"SET", b"actor:1", b"x"), (b"SET", b"actor:2", b"x"))
    assert not seen(watching, (b"SET", b"actor:1", b"x"), (b"SET", b"movie:1", b"x"))
    assert not watching.glance(encode_command([b"SET", b"one", b"x"]))


def test_registrations_about_every_key_let_nothing_pass_at_a_glance():
    assert not seen(classifier("*"), (b"SET", b"k", b"x"))


def test_many_registrations_let_nothing_pass_at_a_glance():
    assert not seen(classifier(*(f"p{n}:*" for n in range(100))), (b"SET", b"k", b"x"))


def test_commands_that_the_door_serves_or_follows_are_never_passed_at_a_glance():
    watching = classifier("movie:*")
    for words in ((b"RG.PYEXECUTE", b"1"), (b"MULTI",), (b"AUTH", b"p"), (b"HELLO", b"3")):
        assert not seen(watching, words)
        assert not seen(classifier(), words)
