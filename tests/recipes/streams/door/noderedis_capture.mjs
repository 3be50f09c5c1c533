// An application in Node that knows nothing of write-behind: node noderedis_capture.mjs PORT. Prints, as JSON, the
// documents that it believes in at its end.
import assert from "node:assert/strict";
import { createClient } from "redis";

const connect = (RESP) => createClient({ socket: { port: Number(process.argv[2]) }, RESP }).connect();
const movie = (n) => ({ title: `Le Fabuleux Destin nº ${n}`, year: 2001, genres: ["comédie"], seen: 0 });

async function session(RESP) {
  const client = await connect(RESP);
  const key = (n) => `Movie:${RESP}-${n}`;
  assert.equal(await client.json.set(key(0), "$", movie(0)), "OK");
  assert.equal(await client.json.set(key(0), "$", movie(0), { condition: "NX" }), null);
  assert.equal(await client.json.set(key(0), "$.year", 2002), "OK");
  assert.deepEqual(await client.json.numIncrBy(key(0), "$.seen", 2), [2]);
  assert.equal(await client.json.merge(key(0), "$", { genres: null }), "OK");
  await Promise.all(Array.from({ length: 100 }, (_, n) => client.json.set(key(n + 1), "$", movie(n + 1))));
  const replies = await client.multi().json.set(key(1), "$.seen", 7).json.get(key(1), { path: "$.seen" }).del(key(2)).exec();
  assert.deepEqual(replies, ["OK", [7], 1]);
  assert.equal(await client.rename(key(3), key(103)), "OK");
  assert.equal(await client.set(key(104), JSON.stringify(movie(104))), "OK");
  await assert.rejects(client.set(key(105), "no JSON"), /WBJSON/);
  await assert.rejects(client.hSet(key(106), { a: "1" }), /WBCOMMAND/);

  const documents = {};
  for await (const keys of client.scanIterator({ MATCH: `Movie:${RESP}-*` }))
    for (const each of keys)
      documents[each] = each === key(104) ? JSON.parse(await client.get(each)) : await client.json.get(each);
  await client.close();
  return documents;
}

console.log(JSON.stringify({ ...(await session(2)), ...(await session(3)) }));
