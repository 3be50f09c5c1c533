"""Commands that the door serves, with a stand-in for the client."""

import asyncio

import pytest

from minigears.door.serving import served
from minigears.protocol import encode_command

OTHER = [
    b"-NOPERM no permissions to run the 'eval' command\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$6\r\n'eval'\r\n",
    b'+1.0 [0 unix:] "GET" "k"\r\n',
    b"$-1\r\n",
    b"*2\r\n$1\r\nx\r\n_\r\n",
]


class Asked:
    """A client whom Redis gives one answer (the script's own if None), and an executor."""

    def __init__(self, answer=None):
        self.answer, self.replies, self.ran = answer, [], []
        self.watch = self.executor = self.slowlog = self.admin = self
        self.in_multi, self.reply = False, self.replies.append

    def ask(self, argv, callback, past_messages=False):
        callback(self.answer or encode_command(argv[-1:]).replace(b"*1", b"*2") + b"$-1\r\n")

    async def command(self, argv, client, wanted=None):
        self.ran.append(argv)
        return b"+OK\r\n"


def test_gears_commands_run_for_whom_redis_lets_run_scripts():
    asked = Asked()
    asyncio.run(served.serve(asked, asked, [b"RG.PYEXECUTE", b"GB().run()"]))
    assert asked.ran == [[b"RG.PYEXECUTE", b"GB().run()"]]


@pytest.mark.parametrize("answer", OTHER)
def test_nothing_but_the_answer_of_the_script_lets_a_gears_command_run(answer):
    """Somebody who has subscribed may be sent a message in its place."""
    asked = Asked(answer)
    asyncio.run(served.serve(asked, asked, [b"RG.PYEXECUTE", b"GB().run()"]))
    assert asked.ran == []
    said = b"'rg.pyexecute'" if answer.startswith(b"-") else b"'eval'"
    assert asked.replies == [answer.replace(b"'eval'", said)]
