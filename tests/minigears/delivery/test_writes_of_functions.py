"""What a function writes causes `sync` functions: they have run before its call returns, as in RedisGears."""

from __future__ import annotations

import pytest

from tests.minigears.realgears import MiniGears

READERS = {
    "keys": ("GB('KeysReader')", ", eventTypes=['set', 'xadd']"),
    "commands": ("GB('KeysReader')", ", commands=['set', 'xadd']"),
    "stream": ("GB('StreamReader')", ""),
}
WRITES = {
    "keys": "'SET', 'foo', 1",
    "commands": "'SET', 'foo', 1",
    "stream": "'XADD', 'foo', '*', 'a', 'b'",
}


def count(kind: str) -> str:
    reader, options = READERS[kind]
    return (
        f"{reader}.foreach(lambda x: execute('INCR', 'n')).register('foo', mode='sync'{options})\n"
    )


@pytest.mark.parametrize("mode", ["sync", "async", "async_local"])
@pytest.mark.parametrize("kind", READERS)
def test_a_trigger_sees_what_its_write_has_caused(gears: MiniGears, kind: str, mode: str) -> None:
    register = f"register(trigger='write', mode='{mode}')"
    body = f"(execute({WRITES[kind]}), execute('GET', 'n'))[1]"
    gears.run(f"{count(kind)}GB('CommandReader').map(lambda x: {body}).{register}")
    with gears.client() as client:
        for n in range(1, 30):
            assert client.execute_command("RG.TRIGGER", "write") == [str(n)]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("kind", ["keys", "stream"])
def test_a_hook_sees_what_the_command_has_caused(gears: MiniGears, kind: str, mode: str) -> None:
    name = WRITES[kind].split("'")[1]
    body = "(call_next(*x[1:]), execute('GET', 'n'))[1]"
    register = f"register(hook='{name}', mode='{mode}')"
    gears.run(f"{count(kind)}GB('CommandReader').map(lambda x: {body}).{register}")
    with gears.client() as client:
        client.response_callbacks.clear()  # the reply is the hook's
        words = [word.strip(" '") for word in WRITES[kind].split(",")]
        for n in range(1, 30):
            assert client.execute_command(*words) == str(n)


@pytest.mark.parametrize("kind", READERS)
def test_a_script_a_run_and_a_timer_see_it_too(gears: MiniGears, kind: str) -> None:
    write = f"execute({WRITES[kind]})"
    gears.run(count(kind))
    gears.run(f"for n in range(1, 20):\n    {write}\n    assert execute('GET', 'n') == str(n)")
    body = f"({write}, execute('GET', 'n'))[1]"
    assert gears.run(f"GB('ShardsIDReader').map(lambda x: {body}).run()") == [["20"], []]
    tick = f"lambda: ({write}, execute('RPUSH', 'told', execute('GET', 'n')), 1 / 0)"
    gears.run(f"registerTE(0, {tick})")
    with gears.client() as client:
        assert client.blpop("told")[1] == "21"


def test_who_must_not_wait_does_not(gears: MiniGears) -> None:
    """Inside `atomic()` nobody else runs; and a batch that adds to its own stream is not done before."""
    gears.run(count("keys"))
    body = "def f(x):\n with atomic():\n  return execute('SET', 'foo', 1)\n"
    assert gears.run(f"{body}GB('ShardsIDReader').map(f).run()") == [["OK"], []]
    add = "execute('XADD', 'again', '*', 'a', 'b') if execute('INCR', 'turns') < 20 else None"
    gears.run(f"GB('StreamReader').foreach(lambda x: {add}).register('again', mode='sync')")
    with gears.client() as client:
        client.xadd("again", {"a": "b"})
        assert int(client.get("turns")) >= 1


def test_a_function_that_waits_for_its_writer_delays_it_only(gears: MiniGears) -> None:
    """It waits for a future that the writer continues after its call."""
    gears.run("""
kept = []
def wait(x):
    kept.append(gearsFuture())
    return kept[0]
def write(x):
    execute('SET', 'foo', 1)
    kept.pop().continueRun(1)
    return 'both'
GB('KeysReader').foreach(wait).register('foo', mode='sync')
GB('CommandReader').map(write).register(trigger='write')
""")
    with gears.client() as client:
        assert client.execute_command("RG.TRIGGER", "write") == ["both"]
