// SPDX-License-Identifier: Apache-2.0
// The endpoints of the store, one test each: items that are somebody's by a
// label of the namespace, and items that are by a field of their value.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { likeMissing, likeness, foreignView, showsNothing } from "./like.mjs";
import { item, itemPath, stored } from "./objects.mjs";

const KINDS = [{}, { shelf: true }];
const get = (w, name, object) => w.ask(name, { path: itemPath(object) });

/** Like objectRow, for both kinds of items. */
function itemRow(row, { ask, foreign, good }) {
  const [method] = row.split(" ");
  const send = (w) => (name, object) => w.ask(name, { method, ...ask(object) });
  async function kind(w, options) {
    const hers = await item(w, "alice", options);
    const before = await stored(w, hers);
    const about = options.shelf ? "foreign on a shelf" : "foreign";
    for (const view of foreignView(w, hers)) await likeMissing(w, row, { ...view, about }, send(w), foreign);
    assert.deepEqual(await stored(w, hers), before, `${row} changed a foreign item`);
    await good(await send(w)("alice", hers), hers, w);
    const other = await item(w, "alice", options);
    await good(await send(w)("admin", other), other, w);
  }
  return {
    row,
    async test(w) {
      for (const options of KINDS) await kind(w, options);
    },
  };
}

async function put(w) {
  const row = "PUT /store/items";
  const send = (name, object, value = { marker: "new" }) =>
    w.ask(name, { method: "PUT", path: "/store/items", json: { namespace: object.namespace, key: object.key, value } });
  // A label that is not one's own: neither over a foreign item nor beside it.
  const hers = await item(w, "alice");
  const before = await stored(w, hers);
  for (const view of foreignView(w, hers)) await likeMissing(w, row, view, send, 404);
  assert.deepEqual(await stored(w, hers), before);
  const marked = await item(w, "alice", { shelf: true });
  const kept = await stored(w, marked);
  const foreign = await send("bob", marked);
  assert.equal(foreign.status, 404, foreign.text);
  showsNothing(foreign, marked, row);
  assert.deepEqual(await stored(w, marked), kept);
  // What is new on a shelf is whose it is, whatever it says.
  const fresh = { namespace: ["shelf", `room-${randomUUID()}`], key: "k" };
  assert.equal((await send("bob", fresh, { owner: "alice" })).status, 204);
  assert.equal((await get(w, "bob", fresh)).json.value.owner, "bob");
  for (const object of [hers, marked])
    for (const name of ["alice", "admin"]) {
      assert.equal((await send(name, object, { marker: name, owner: "alice" })).status, 204);
      assert.equal((await get(w, "alice", object)).json.value.marker, name);
    }
}

const found = (answer, { key, marker }) => {
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.json.key, answer.json.value.marker], [key, marker]);
};

async function removed(answer, object, w) {
  assert.equal(answer.status, 204, answer.text);
  assert.equal((await w.truth({ path: itemPath(object) })).text, "null");
}

/** A room with items of both, by turns. */
async function shared(w, shelf) {
  const room = `room-${randomUUID()}`;
  const markers = {};
  const put = async (name, key) => {
    const namespace = shelf ? ["shelf", room] : [room, name];
    const marker = `marker-${randomUUID()}`;
    markers[key] = marker;
    const json = { namespace, key, value: { marker } };
    assert.equal((await w.ask(name, { method: "PUT", path: "/store/items", json })).status, 204);
  };
  for (const [i, name] of ["alice", "bob", "alice", "alice"].entries()) await put(name, `${name}${i}`);
  return { room, prefix: shelf ? ["shelf", room] : [room], markers };
}

async function search(w) {
  for (const { shelf } of KINDS) {
    const { prefix, markers } = await shared(w, shelf);
    const find = (name, more) =>
      w.ask(name, { method: "POST", path: "/store/items/search", json: { namespace_prefix: prefix, ...more } });
    const keys = async (name, more) => {
      const answer = await find(name, more);
      assert.equal(answer.status, 200, `${name} ${JSON.stringify(more)}: ${answer.text}`);
      return answer.json.items.map((one) => one.key).sort();
    };
    assert.deepEqual(await keys("alice"), ["alice0", "alice2", "alice3"]);
    assert.deepEqual(await keys("bob"), ["bob1"]);
    assert.deepEqual(await keys("admin"), ["alice0", "alice2", "alice3", "bob1"]);
    assert.deepEqual(await keys("bob", { limit: 1 }), ["bob1"]);
    assert.deepEqual(await keys("bob", { offset: 1 }), []);
    assert.deepEqual(await keys("bob", { filter: { marker: markers.alice0 } }), []);
    assert.deepEqual(await keys("alice", { filter: { marker: markers.alice0 } }), ["alice0"]);
    const pages = [await keys("alice", { limit: 2 }), await keys("alice", { limit: 2, offset: 2 })];
    assert.deepEqual(pages.map((page) => page.length), [2, 1]);
    assert.deepEqual(pages.flat().sort(), ["alice0", "alice2", "alice3"]);
    if (shelf) continue;
    const foreign = await find("bob", { namespace_prefix: [...prefix, "alice"] });
    const missing = await find("bob", { namespace_prefix: [...prefix, "carol"] });
    assert.deepEqual(likeness(foreign), likeness(missing));
    assert.deepEqual(foreign.json, { items: [] });
  }
}

async function namespaces(w) {
  const { room } = await shared(w, false);
  const list = async (name, more) => {
    const json = { prefix: [room], ...more };
    const answer = await w.ask(name, { method: "POST", path: "/store/namespaces", json });
    assert.equal(answer.status, 200, `${name} ${JSON.stringify(json)}: ${answer.text}`);
    return answer.json.namespaces.map((one) => one.join("/")).sort();
  };
  assert.deepEqual(await list("alice"), [`${room}/alice`]);
  assert.deepEqual(await list("bob"), [`${room}/bob`]);
  assert.deepEqual(await list("admin"), [`${room}/alice`, `${room}/bob`]);
  assert.deepEqual(await list("bob", { prefix: [room, "alice"] }), []);
  assert.deepEqual(await list("bob", { suffix: ["alice"] }), []);
  assert.deepEqual(await list("bob", { limit: 1 }), [`${room}/bob`]);
  assert.deepEqual(await list("bob", { offset: 1 }), []);
  const all = await list("bob", { prefix: undefined, limit: 1000 });
  assert.ok(all.includes(`${room}/bob`));
  assert.deepEqual(all.filter((name) => !name.split("/").includes("bob")), []);
}

export const storeRows = [
  { row: "PUT /store/items", test: put },
  itemRow("GET /store/items", { ask: (object) => ({ path: itemPath(object) }), foreign: 200, good: found }),
  itemRow("DELETE /store/items", {
    ask: ({ namespace, key }) => ({ path: "/store/items", json: { namespace, key } }),
    foreign: 404,
    good: removed,
  }),
  { row: "POST /store/items/search", test: search },
  { row: "POST /store/namespaces", test: namespaces },
];
