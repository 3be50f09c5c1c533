// A session of node-redis: node noderedis_session.mjs PORT. Ends with status 0 when all of it went well.
import assert from "node:assert/strict";
import { createClient } from "redis";

const REGISTER = `
GB('KeysReader').foreach(lambda x: execute('RPUSH', 'seen', x['event'] + ' ' + x['key'])) \\
    .register(prefix='k:*', mode='sync', readValue=False)
`;

const connect = (RESP) => createClient({ socket: { port: Number(process.argv[2]) }, RESP }).connect();

async function session(RESP) {
  const client = await connect(RESP);
  const gears = (...words) => client.sendCommand(words);
  assert.deepEqual(await gears("RG.PYEXECUTE", "GB('ShardsIDReader').run()"), [["1"], []]);
  assert.equal(await gears("RG.PYEXECUTE", REGISTER), "OK");
  await assert.rejects(gears("RG.PYEXECUTE", "1 / 0"), /ZeroDivisionError/);
  const [registration] = await gears("RG.DUMPREGISTRATIONS");

  await client.set("k:1", "Amélie");
  assert.equal(await client.get("k:1"), "Amélie");
  await client.hSet("k:h", { a: "1" });
  assert.equal((await client.hGetAll("k:h")).a, "1");
  await client.json.set("k:j", "$", { n: [1, 2.5, null] });
  assert.deepEqual(await client.json.get("k:j"), { n: [1, 2.5, null] });
  assert.deepEqual(await client.multi().set("k:2", "1").incr("k:2").exec(), ["OK", 2]);
  await Promise.all(Array.from({ length: 50 }, (_, n) => client.set(`k:many:${n}`, `${n}`)));
  const seen = await client.lRange("seen", 0, -1);
  assert.deepEqual(seen.slice(0, 5), ["set k:1", "hset k:h", "json.set k:j", "set k:2", "incrby k:2"]);
  assert.equal(seen.length, 55);

  const subscriber = await connect(RESP);
  const message = new Promise((resolve) => subscriber.subscribe("news", resolve));
  while ((await client.publish("news", "hello")) === 0);
  assert.equal(await message, "hello");
  await subscriber.close();

  assert.equal(await gears("RG.UNREGISTER", registration[1]), "OK");
  await client.flushAll();
  await client.close();
}

for (const RESP of [2, 3]) await session(RESP);
