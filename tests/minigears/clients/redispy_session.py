"""A session of redis-py, of whatever version runs this file: python redispy_session.py PORT.

Prints the version when all of it went as with Redis and RedisGears themselves.
"""

import asyncio
import sys

import redis
import redis.asyncio

PORT = int(sys.argv[1])
VERSION = redis.__version__
REGISTER = """
GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', x['event'] + ' ' + x['key'])) \\
    .register(prefix='k:*', mode='sync', readValue=False)
"""


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"redis-py {VERSION}: {got!r} instead of {wanted!r}")


def seen(client):
    events = client.lrange("seen", 0, -1)
    client.delete("seen")
    return events


def gears(client):
    expect(client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()"), [["1"], []])
    expect(client.execute_command("RG.PYEXECUTE", REGISTER), "OK")
    ((_, number, _, reader),) = [one[:4] for one in client.execute_command("RG.DUMPREGISTRATIONS")]
    expect(reader, "KeysReader")
    try:
        client.execute_command("RG.PYEXECUTE", "1 / 0")
    except redis.ResponseError as error:
        expect("ZeroDivisionError" in str(error), True)
    else:
        raise AssertionError("no error")
    return number


def values(client):
    client.set("k:1", "Amélie")
    expect(client.get("k:1"), "Amélie")
    client.hset("k:h", mapping={"a": "1"})
    expect(client.hgetall("k:h"), {"a": "1"})
    client.json().set("k:j", "$", {"n": [1, 2.5, None]})
    expect(client.json().get("k:j"), {"n": [1, 2.5, None]})
    expect(client.xlen("k:none"), 0)
    expect(seen(client), ["set k:1", "hset k:h", "json.set k:j"])


def pipelines(client):
    pipe = client.pipeline(transaction=False)
    expect(pipe.set("k:1", 1).incr("k:1").get("k:1").execute(), [True, 2, "2"])
    with client.pipeline() as pipe:
        pipe.watch("k:1")
        before = int(pipe.get("k:1"))
        pipe.multi()
        pipe.set("k:1", before + 1)
        expect(pipe.execute(), [True])
    expect(client.eval("return redis.call('INCR', KEYS[1])", 1, "k:1"), 4)
    expect(seen(client), ["set k:1", "incrby k:1", "set k:1", "incrby k:1"])


def subscriptions(client):
    with client.pubsub() as subscriber:
        subscriber.subscribe("news")
        expect(subscriber.get_message(timeout=10)["type"], "subscribe")
        client.publish("news", "hello")
        expect(subscriber.get_message(timeout=10)["data"], "hello")


def blocking(client):
    client.rpush("k:list", "a")
    expect(list(client.blpop("k:list", timeout=10)), ["k:list", "a"])
    expect(seen(client), ["rpush k:list", "lpop k:list", "del k:list"])


async def asynchronous():
    client = redis.asyncio.Redis(port=PORT, decode_responses=True)
    await asyncio.gather(*(client.set(f"k:{n}", n) for n in range(50)))
    expect(await client.mget("k:0", "k:49"), ["0", "49"])
    expect(len(await client.lrange("seen", 0, -1)), 50)
    await client.delete("seen")
    await getattr(client, "aclose", client.close)()


def main():
    protocols = [{}] if VERSION.startswith("4.") else [{"protocol": 2}, {"protocol": 3}]
    for protocol in protocols:
        with redis.Redis(port=PORT, decode_responses=True, **protocol) as client:
            registration = gears(client)
            for part in (values, pipelines, subscriptions, blocking):
                part(client)
            asyncio.run(asynchronous())
            expect(client.execute_command("RG.UNREGISTER", registration), "OK")
            client.flushall()
    print(VERSION)


main()
