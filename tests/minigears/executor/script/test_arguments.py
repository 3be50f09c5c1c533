"""What functions of the runtime are given is checked, with RedisGears's words."""

from __future__ import annotations

import pytest

from tests.minigears.executor.fakedoor import FakeDoor, text


@pytest.fixture
def door(shared_door: FakeDoor) -> FakeDoor:
    """One executor for all tests of this module: what is refused leaves no trace."""
    return shared_door


COUNTED = ["map", "filter", "flatmap", "foreach", "groupby", "batchgroupby", "accumulate"]
COUNTED += ["repartition"]

WORDS = [
    *[(f"GB().{name}(1, 2, 3)", f"wrong number of args to {name} function") for name in COUNTED],
    *[(f"GB().{name}()", f"wrong number of args to {name} function") for name in COUNTED],
    ("GB().localgroupby()", "wrong number of args to groupby function"),
    ("GB().localgroupby(1, lambda k, a, r: r)", "groupby extractor argument must be a function"),
    ("GB().groupby(lambda r: r, 1)", "groupby reducer argument must be a function"),
    ("GB().batchgroupby(1, lambda k, r: r)", "batchgroupby extractor argument must be a function"),
    ("GB().batchgroupby(lambda r: r, 1)", "batchgroupby reducer argument must be a function"),
    ("registerTE(2)", "not enough arguments for time event"),
    ("registerTE(.5, lambda: 1)", "time argument must be a long"),
    ("setGearsSession(1)", "Given object is not of type GearsSession"),
    ("GB().collect(1)", "wrong number of args to collect function"),
    ("GB().limit(1, 2, 3)", "wrong number of args to limit function"),
    ("GB().map(1)", "map argument must be a function"),
    ("GB(1)", "reader argument must be a string"),
    ("GB().register(1)", "regex argument must be a string"),
    ("GB().register(eventTypes=1)", "given eventTypes is not iterable"),
    ("GB().register(eventTypes=[1])", "given event type is not string"),
    ("GB().register(keyTypes=1)", "given keyTypes is not iterable"),
    ("GB().register(keyTypes=[1])", "given key type is not string"),
    ("GB().register(keyTypes=['car'])", "unknown key type"),
    ("GB().register(commands=1)", "given commands is not iterable"),
    ("GB().register(commands=[1])", "given command type is not string"),
    ("GB().register(readValue=1)", "readValue is not boolean"),
    ("GB().register(mode=1)", "execution mode must be a string"),
    ("GB().register(mode='x')", "unknown execution mode"),
    ("GB().register(onRegistered=1)", "OnRegistered argument must be a function"),
    ("GB('StreamReader').register(batch='1')", "batch argument must be a number"),
    ("GB('StreamReader').register(onFailedPolicy=1)", "onFailedPolicy must be a string"),
    ("GB('StreamReader').register(onFailedPolicy='retry', mode='sync')", "only be combined with"),
    ("GB('CommandReader').register(trigger=1)", "trigger argument is not string"),
    ("GB('CommandReader').register(hook=1)", "hook argument is not string"),
    ("GB('CommandReader').register(hook='get', keyprefix=1)", "keyprefix argument is not string"),
    ("GB('CommandReader').register(trigger='t', inorder=1)", "inorder argument is be boolean"),
    ("GB('CommandReader').register(trigger=None)", "trigger argument is not string"),
    ("GB('CommandReader').register(hook=None)", "hook argument is not string"),
    (
        "GB('CommandReader').register(hook='get', keyprefix=None)",
        "keyprefix argument is not string",
    ),
    ("GB().register(keyTypes=[1], readValue=1)", "given key type is not string"),
    ("GB().register(1, eventTypes=1)", "regex argument must be a string"),
    ("log('a', 'b', 'c')", "log function must get a log message as input"),
    ("log('a', level=None)", "Log level must be a sting"),
    ("GB().run(mode=1)", "execution mode must be a string"),
    ("GB().run(mode='sync')", "unknown execution mode"),
    ("GB().run(noScan=1)", "exactMatch value is not boolean"),
    ("GB().run(readValue=1)", "readValue value is not boolean"),
    ("GB('PythonReader', shardReaderCallback).run('*')", "pyreader argument must be a function"),
    ("GB('StreamReader').run(fromId=1)", "fromId argument must be a string"),
    ("GB('PythonReader').run(1)", "pyreader argument must be a function"),
    ("execute(1)", "the given command must be a string"),
    ("GB('KeysOnlyReader').run(nosuch=1)", "got an unexpected keyword argument 'nosuch'"),
    ("configGet()", "get_config function must get a single key input"),
    ("configGet(1)", "get_config key must be a string"),
    ("gearsConfigGet(b'a')", "get_config key must be a string"),
    ("gearsFuture(1)", "Future gets no arguments"),
    ("flat_error()", "not enough arguments for time flat error"),
    ("setGearsSession()", "Wrong number of args given to setGearsSession"),
    ("override_reply()", "Can not get command ctx"),
    ("log(1, level=2)", "Log message must be a string"),
    ("GB().register('', commands=['set'])", "Empty perfix given to command hooker"),
]


@pytest.mark.parametrize(("call", "words"), WORDS)
def test_arguments(door: FakeDoor, call: str, words: str):
    assert f"gears.error: {words}" in text(door.script(call)) or words in text(door.script(call))


@pytest.mark.parametrize(
    "command",
    [
        "PAUSEREGISTRATIONS a b",
        "UNPAUSEREGISTRATIONS a b",
        "PYEXPORTREQ a b",
        "GETRESULTSBLOCKING a b",
        "GETEXECUTION a SHARD b",
        "ABORTEXECUTION a b",
        "DROPEXECUTION a b",
        "UNREGISTER a ABORTPENDING b",
        "CLEARREGISTRATIONSSTATS a",
    ],
)
def test_a_word_too_many(door: FakeDoor, command: str):
    name, *words = command.split()
    told = text(door.call(f"RG.{name}", *words))
    assert told == f"ERR wrong number of arguments for 'rg.{name.lower()}' command"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["GETRESULTS", "a", "b"], "execution plan does not exist"),
        (["PAUSEREGISTRATIONS", "AbortPending"], "ERR no registration to pause"),
        (
            ["UNPAUSEREGISTRATIONS", "AbortPending"],
            "Execution AbortPending does not exists on shard",
        ),
        (["PYEXECUTE", "1", "ID", "a.b", "X"], "ID must be compose of"),
        (["PYEXECUTE", "1", "X", "ID", "a.b"], "Unknown arguments were given: X"),
        (["PYEXECUTE", "1", "REPLACE_WITH"], "REPLACE_WITH is missing"),
    ],
)
def test_words_of_commands(door: FakeDoor, words: list[str], said: str):
    assert text(door.call("RG." + words[0], *words[1:])).startswith(said)


def test_a_number_may_be_a_bool(door: FakeDoor):
    door.script("GB('StreamReader').register(batch=True, duration=False)")
    assert door.stats(door.ids[0])["args"][:4] == [b"batchSize", 1, b"durationMS", 0]


def test_what_extracts_a_key_to_count_by_need_not_be_a_function(door: FakeDoor):
    flow = "GB('PythonReader').countby(int).map(lambda x: x['value'])"
    assert door.results(f"{flow}.run(lambda: (yield from ['1', '01', '1']))") == [b"3"]


def test_an_error_of_numbers_has_one_traceback(door: FakeDoor):
    told = text(door.script("GB('StreamReader').register(batch=0)"))
    assert told.count("Traceback") == 1
    assert "batch is at least 1" in told


def test_what_is_given_may_be_any_iterable(door: FakeDoor):
    door.script("GB().register(eventTypes=iter(('set', 'del')), keyTypes={'string'}, commands=[])")
    assert door.stats(door.ids[0])["args"][3] == [b"set", b"del"]


def test_a_pattern_may_be_made_on_the_shard(door: FakeDoor):
    door.script("for n in range(3): execute('SET', 'k%d' % n, n)")
    run = "GB('KeysOnlyReader').run(patternGenerator=lambda: ({}))"
    assert sorted(door.results(run.format("'k*', False"))) == [b"k0", b"k1", b"k2"]
    assert door.results(run.format("'k1', True")) == [b"k1"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("count='no'", "'gears.error: ERR value is not an integer"),
        ("count=0", "'gears.error: ERR syntax error"),
        ("patternGenerator='no'", "'str' object is not callable"),
    ],
)
def test_what_the_keys_only_reader_cannot_use_is_an_error_of_the_run(
    door: FakeDoor, given: str, words: str
):
    results, errors = door.script(f"GB('KeysOnlyReader').run({given})")
    assert results == []
    assert words in errors[0].decode()
    assert errors[0].startswith(
        b"['Traceback (most recent call last)"
    )  # it is Python in RedisGears, too


def test_what_is_given_to_the_keys_only_reader_is_as_python_sees_it(door: FakeDoor):
    door.script("for n in range(3): execute('SET', n, n)")
    assert door.results("GB('KeysOnlyReader').run(1)") == [b"1"]
    assert door.results("GB('KeysOnlyReader').run('1', noScan='yes')") == [b"1"]


def test_keys_only_that_are_there(door: FakeDoor):
    door.script("execute('SET', 'k*', 1)")
    assert door.results("GB('KeysOnlyReader').run('k*', noScan=True)") == [b"k*"]
    assert door.results("GB('KeysOnlyReader').run('k', noScan=True)") == []
    assert door.results("GB('KeysOnlyReader').run('k*', count='1')") == [b"k*"]


def test_a_stream_is_read_from_behind_an_id(door: FakeDoor):
    door.script("for n in range(1, 4): execute('XADD', 's', '%d-0' % n, 'f', 'v')")
    run = "GB('StreamReader').map(lambda x: x['id']).run('s'{})"
    assert door.results(run.format("")) == [b"1-0", b"2-0", b"3-0"]
    assert door.results(run.format(", fromId='1-0'")) == [b"2-0", b"3-0"]
    assert door.results(run.format(", fromId='2'")) == [b"3-0"]
    assert door.results(run.format(", fromId='$'")) == []
    results, errors = door.script(run.format(", fromId='no'"))
    assert (results, errors) == (
        [],
        [b"ERR Invalid stream ID specified as stream command argument"],
    )
