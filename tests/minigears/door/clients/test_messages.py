"""What Redis tells clients beside replies: messages, invalidations, MONITOR."""

import pytest


def test_publish_and_subscribe(gears_either_way):
    with gears_either_way.client() as client, client.pubsub() as subscriber:
        client.set("k:before", 1)
        subscriber.subscribe("news")
        assert subscriber.get_message(timeout=10)["type"] == "subscribe"
        client.publish("news", "hello")
        assert subscriber.get_message(timeout=10)["data"] == "hello"
        subscriber.unsubscribe("news")
        assert subscriber.get_message(timeout=10)["type"] == "unsubscribe"


def test_publish_by_pattern(gears_either_way):
    with gears_either_way.client() as client, client.pubsub() as subscriber:
        client.set("k:before", 1)
        subscriber.psubscribe("news.*")
        assert subscriber.get_message(timeout=10)["type"] == "psubscribe"
        client.publish("news.today", "hello")
        got = subscriber.get_message(timeout=10)
        assert (got["type"], got["pattern"], got["channel"]) == ("pmessage", "news.*", "news.today")
        subscriber.punsubscribe("news.*")
        assert subscriber.get_message(timeout=10)["type"] == "punsubscribe"


@pytest.mark.parametrize("hello", [b"HELLO 2\r\n", b"HELLO 3\r\n"])
def test_publish_in_shards(gears_either_way, hello):
    kind = b">3\r\n" if hello == b"HELLO 3\r\n" else b"*3\r\n"
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(hello + b"SET k:1 1\r\nSSUBSCRIBE s\r\nSSUBSCRIBE s\r\n")
        for _ in range(2):
            while stream.readline() != b"ssubscribe\r\n":
                pass
            assert [stream.readline() for _ in range(3)] == [b"$1\r\n", b"s\r\n", b":1\r\n"]
        assert other.execute_command("SPUBLISH", "s", "hello") == 1
        expected = kind + b"$8\r\nsmessage\r\n$1\r\ns\r\n$5\r\nhello\r\n"
        assert stream.read(len(expected)) == expected
        sock.sendall(b"SUNSUBSCRIBE s\r\n")
        expected = kind + b"$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n"
        assert stream.read(len(expected)) == expected
        sock.sendall(b"SET k:1 2\r\n")
        assert stream.readline() == b"+OK\r\n"


def test_writes_after_a_subscription_wait_for_their_functions_again(gears):
    """Messages are no replies: they must not be counted as such."""
    gears.run(
        "GB().foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')"
    )
    with gears.raw() as sock, gears.client() as other:
        stream = sock.makefile("rb")
        for n in range(1, 50):
            sock.sendall(b"SSUBSCRIBE a\r\nPSUBSCRIBE b c\r\n")
            while (
                b"psubscribe" not in stream.readline()
                or b"c" not in stream.readline() + stream.readline()
            ):
                pass
            assert stream.readline() == b":2\r\n"
            for _ in range(5):
                other.execute_command("SPUBLISH", "a", "x")
                other.publish("b", "x")
            sock.sendall(b"RESET\r\nSET k:1 1\r\n")
            while stream.readline() != b"+RESET\r\n":
                pass
            assert stream.readline() == b"+OK\r\n"
            assert other.get("count") == str(n)


def test_a_connection_that_has_written_can_subscribe_and_write_again(gears_either_way):
    with gears_either_way.raw() as sock:
        stream = sock.makefile("rb")
        sock.sendall(b"SET k:1 1\r\n")
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(b"SUBSCRIBE c\r\n")
        assert [stream.readline() for _ in range(6)][2] == b"subscribe\r\n"
        sock.sendall(b"UNSUBSCRIBE c\r\n")
        assert [stream.readline() for _ in range(6)][2] == b"unsubscribe\r\n"
        sock.sendall(b"SET k:1 2\r\nGET k:1\r\n")
        assert [stream.readline() for _ in range(3)] == [b"+OK\r\n", b"$1\r\n", b"2\r\n"]


def test_client_tracking_invalidates(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON\r\nSET k:0 0\r\nGET k:1\r\nPING\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        other.set("k:1", 1)
        assert stream.readline() == b">2\r\n"
        assert stream.readline() + stream.readline() == b"$10\r\ninvalidate\r\n"


def test_monitor(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"SET k:1 1\r\nMONITOR\r\n")
        assert [stream.readline() for _ in range(2)] == [b"+OK\r\n", b"+OK\r\n"]
        other.set("k:2", "seen-by-monitor")
        assert any(b"seen-by-monitor" in stream.readline() for _ in range(20))


def test_push_messages_come_without_replies_too(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET k:1\r\nPING\r\nCLIENT REPLY OFF\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        other.set("k:1", 1)
        invalidated = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nk:1\r\n"
        assert stream.read(len(invalidated)) == invalidated


def test_what_a_client_keeps_by_choice_is_invalidated(gears_either_way):
    with gears_either_way.raw() as sock, gears_either_way.client() as other:
        stream = sock.makefile("rb")
        sock.sendall(b"HELLO 3\r\nCLIENT TRACKING ON OPTIN\r\nPING\r\n")
        while stream.readline() != b"+PONG\r\n":
            pass
        sock.sendall(b"CLIENT CACHING YES\r\nMULTI\r\nGET k:1\r\nEXEC\r\n")
        replies = [b"+OK\r\n", b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n", b"_\r\n"]
        assert [stream.readline() for _ in replies] == replies
        other.set("k:1", 1)
        assert stream.readline() == b">2\r\n"
