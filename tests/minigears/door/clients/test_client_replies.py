"""What holds replies back, and what lets them go. No socket: bytes in, bytes out."""

import pytest

from minigears.door.clients.batches import Batch
from minigears.door.clients.replies import Mode, ReplyStream
from minigears.door.events.journal import Intent

OK = b"+OK\r\n"


def batch(commands, last, key, blocking=False):
    return Batch([[b"SET", key, b"v"]] * commands, last, [key], blocking)


class Tape:
    """A reply stream that writes on a tape, and notes which holds are due."""

    def __init__(self):
        self.out = b""
        self.due = []
        self.stream = ReplyStream(self._write, self.due.extend)

    def _write(self, data):
        self.out += data

    def count(self):
        nonce = self.stream.start_counting().split(b"\r\n")[-2]
        self.stream.feed(b"$%d\r\n%s\r\n" % (len(nonce), nonce))
        assert self.stream.mode is Mode.COUNTING
        return self


def test_bytes_pass_untouched_until_counting_is_asked_for():
    tape = Tape()
    tape.stream.sent(1)
    tape.stream.feed(b"$5\r\nhel")
    tape.stream.feed(b"lo\r\n")
    assert tape.out == b"$5\r\nhello\r\n"


@pytest.mark.parametrize("subscriber", [False, True])
@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_the_marker_is_taken_out_wherever_the_stream_is_cut(cut, subscriber):
    tape = Tape()
    nonce = tape.stream.start_counting().split(b"\r\n")[-2]
    marker = b"$%d\r\n%s\r\n" % (len(nonce), nonce)
    if subscriber:
        marker = b"*2\r\n$4\r\npong\r\n" + marker
    stream = b"+before\r\n" + marker + b"+after\r\n"
    tape.stream.sent(1)
    tape.stream.feed(stream[:cut])
    tape.stream.feed(stream[cut:])
    assert tape.out == b"+before\r\n+after\r\n"
    assert tape.stream.mode is Mode.COUNTING


def test_the_reply_of_a_concerned_write_waits_and_so_does_all_that_follows():
    tape = Tape().count()
    tape.stream.sent(1)
    tape.stream.sent_concerned(batch(1, 1, b"k"), Intent([]))
    tape.stream.sent(1)
    tape.stream.feed(b":1\r\n")
    assert tape.out == b":1\r\n"
    tape.stream.feed(OK)
    tape.stream.feed(b":3\r\n")
    assert tape.out == b":1\r\n"
    assert [hold.keys for hold in tape.due] == [{b"k"}]
    tape.stream.settle(tape.due)
    assert tape.out == b":1\r\n" + OK + b":3\r\n"
    assert not tape.stream.waiting


def test_a_batch_waits_as_a_whole_even_when_its_replies_come_in_pieces():
    tape = Tape().count()
    tape.stream.sent_concerned(batch(3, 3, b"k"), Intent([]))
    tape.stream.feed(OK)
    assert (tape.out, tape.due) == (b"", [])
    tape.stream.feed(OK + OK)
    assert len(tape.due) == 1
    tape.stream.settle(tape.due)
    assert tape.out == OK * 3


def test_what_follows_the_last_concerned_command_of_a_batch_is_not_waited_for():
    tape = Tape().count()
    tape.stream.sent_concerned(
        batch(2, 1, b"k"), Intent([])
    )  # SET concerned, then BLPOP that waits
    tape.stream.feed(OK)
    tape.stream.settle(tape.due)
    assert tape.out == OK


def test_holds_are_let_go_in_the_order_of_the_replies():
    tape = Tape().count()
    for key in (b"a", b"b"):
        tape.stream.sent_concerned(batch(1, 1, key), Intent([]))
    tape.stream.feed(b":1\r\n")
    tape.stream.feed(b":2\r\n")
    tape.stream.settle(tape.due[1:])
    assert tape.out == b""
    tape.stream.settle(tape.due[:1])
    assert tape.out == b":1\r\n:2\r\n"


def test_pushes_of_resp3_are_passed_on_and_not_counted():
    tape = Tape().count()
    drained = []
    tape.stream.sent(1)
    tape.stream.when_drained(lambda: drained.append(True))
    tape.stream.feed(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n")
    assert not drained
    tape.stream.feed(b"_\r\n")
    assert drained
    assert tape.out.endswith(b"_\r\n")


def test_a_captured_reply_does_not_reach_the_client():
    tape = Tape().count()
    taken = []
    tape.stream.capture(taken.append)
    tape.stream.sent(1)
    tape.stream.feed(b"*2\r\n:1\r\n")
    tape.stream.feed(b":2\r\n")
    assert taken == [b"*2\r\n:1\r\n:2\r\n"]
    assert tape.out == b""


PUSH = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nk\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(PUSH * 2) + 8))
def test_push_messages_around_a_captured_reply_are_for_the_client(cut):
    """A refusal behind one, taken for something else, would have let anybody run code."""
    tape, taken = Tape().count(), []
    stream = PUSH + b"-NOPERM\r\n" + PUSH
    tape.stream.feed(PUSH[:7])
    tape.stream.capture(taken.append)
    tape.stream.sent(1)
    tape.stream.feed(PUSH[7:] + stream[:cut])
    tape.stream.feed(stream[cut:])
    assert taken == [b"-NOPERM\r\n"]
    assert tape.out == PUSH * 3
    assert tape.stream.mode is Mode.COUNTING


def test_discarded_replies_are_counted_all_the_same():
    tape = Tape().count()
    tape.stream.discard = True
    tape.stream.sent_concerned(batch(1, 1, b"k"), Intent([]))
    tape.stream.feed(OK)
    tape.stream.settle(tape.due)
    assert tape.out == b""
    assert not tape.stream.waiting


def test_a_command_that_may_wait_for_others_is_told_apart_while_it_is_the_next_to_be_answered():
    tape = Tape().count()
    tape.stream.sent_concerned(batch(1, 1, b"k"), Intent([]))
    tape.stream.sent_concerned(batch(1, 1, b"k", blocking=True), Intent([]))
    assert not tape.stream.blocked
    tape.stream.feed(OK)
    assert tape.stream.blocked
    tape.stream.feed(OK)
    assert not tape.stream.blocked


def test_abandoned_holds_are_handed_over():
    tape = Tape().count()
    tape.stream.sent_concerned(batch(1, 1, b"k"), Intent([]))
    assert [hold.keys for hold in tape.stream.abandon()] == [{b"k"}]
    assert not tape.stream.waiting
