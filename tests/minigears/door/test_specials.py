"""Commands that the door serves, with a stand-in for the client."""

import asyncio

import pytest

from minigears.door import specials

NIL = [b"$-1\r\n", b"_\r\n"]
OTHER = [
    b"-NOPERM no permissions to run the 'eval' command\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$6\r\n'eval'\r\n",
    b'+1.0 [0 unix:] "GET" "k"\r\n',
]


class Asked:
    """A client whom Redis gives one answer, and an executor that answers everything."""

    def __init__(self, answer):
        self.answer, self.replies, self.ran = answer, [], []
        self.executor, self.in_multi, self.reply = self, False, self.replies.append

    async def ask(self, argv):
        return self.answer

    async def command(self, argv, client):
        self.ran.append(argv)
        return b"+OK\r\n"


@pytest.mark.parametrize("answer", NIL)
def test_gears_commands_run_for_whom_redis_lets_run_scripts(answer):
    asked = Asked(answer)
    asyncio.run(specials.serve(asked, asked, [b"RG.PYEXECUTE", b"GB().run()"]))
    assert asked.ran == [[b"RG.PYEXECUTE", b"GB().run()"]]


@pytest.mark.parametrize("answer", OTHER)
def test_nothing_but_the_answer_of_the_script_lets_a_gears_command_run(answer):
    """Somebody who has subscribed may be sent a message in its place."""
    asked = Asked(answer)
    asyncio.run(specials.serve(asked, asked, [b"RG.PYEXECUTE", b"GB().run()"]))
    assert asked.ran == []
    said = b"'rg.pyexecute'" if answer.startswith(b"-") else b"'eval'"
    assert asked.replies == [answer.replace(b"'eval'", said)]
