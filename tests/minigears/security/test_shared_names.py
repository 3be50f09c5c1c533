"""Names in Redis that anybody may use: what stands there is believed only if minigears wrote it."""

from __future__ import annotations

import redis
from realredis import wait_for

COUNT = """
def count(x):
    execute('SET', 'k:own', x['key'])
    execute('INCR', 'n')
    execute('INCR', 'n:' + x['key'])
GB('KeysReader').foreach(count).register(prefix='k:*', mode='sync', readValue=False)
"""
OWN = "__minigears__:own"


def test_a_foreign_mark_mutes_nothing(gears):
    gears.run(COUNT)
    with gears.client() as client, redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        for publish in (client.publish, direct.publish):
            for said in ("begin", "begin 0 x", "end"):
                publish(OWN, said)
                client.incr("k:1")
        client.eval(
            f"redis.call('PUBLISH', '{OWN}', 'begin') return redis.call('INCR', 'k:1')", 1, "k:1"
        )
        assert client.get("n") == "7"


def test_a_mark_that_was_overheard_cannot_be_repeated(gears):
    gears.run(COUNT)
    with gears.client() as client, client.pubsub() as listener:
        listener.psubscribe("*")
        client.set("k:1", 1)
        heard = []
        while not (heard and heard[-1]["data"] == "end"):
            message = listener.get_message(ignore_subscribe_messages=True, timeout=60)
            if message and message["channel"] == OWN:
                heard.append(message)
        assert client.get("n") == "1"  # writes of its own raise no events
        for message in heard[:1] * 3:
            assert message["data"].startswith("begin ")
            client.publish(OWN, message["data"])
            client.set("k:1", 2)
        assert client.get("n") == "4"


def test_marks_go_on_after_the_executor_died(gears):
    gears.run(COUNT)
    with gears.client() as client:
        client.set("k:1", 1)
        before = gears.executor
        before.kill()
        wait_for(lambda: (now := gears.executor) and now.pid != before.pid, what="another executor")
        client.set("k:1", 1)
        client.set("k:1", 1)
        assert int(client.get("n:k:1")) >= 3
        assert client.get("n:k:own") is None
