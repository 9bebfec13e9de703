// SPDX-License-Identifier: Apache-2.0
// The endpoints of assistants, one test each.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { likeness, objectRow, showsNothing } from "./like.mjs";
import { assistant, made, stored } from "./objects.mjs";

const get = (w, name, id) => w.ask(name, { path: `/assistants/${id}` });
const ids = (list) => list.map((entry) => entry.assistant_id).sort();

const ok = (check) => async (answer, object, w, name) => {
  assert.equal(answer.status, 200, `${name}: ${answer.status} ${answer.text}`);
  await check(answer.json, object, w, name);
};

async function create(w) {
  const post = (name, json) => w.ask(name, { method: "POST", path: "/assistants", json: { graph_id: "agent", ...json } });
  const marker = `marker-${randomUUID()}`;
  const assistant_id = randomUUID();
  const first = await post("alice", { assistant_id, metadata: { marker, owner: "bob" }, name: marker });
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.json.metadata, { marker, owner: "alice" });
  const hers = { assistant_id, marker };
  const before = await stored(w, hers);
  const own = await assistant(w, "bob");
  for (const more of [{}, { if_exists: "raise" }, { if_exists: "do_nothing" }]) {
    const foreign = await post("bob", { assistant_id, ...more });
    const taken = await post("bob", { assistant_id: own.assistant_id, if_exists: "raise" });
    assert.equal(foreign.status, 409, `${JSON.stringify(more)}: ${foreign.text}`);
    assert.deepEqual(likeness(foreign, [assistant_id]), likeness(taken, [own.assistant_id]), JSON.stringify(more));
  }
  assert.deepEqual(await stored(w, hers), before);
  for (const name of ["alice", "admin"])
    assert.equal((await post(name, { assistant_id, if_exists: "do_nothing" })).json.name, marker);
}

async function mixed(w) {
  const tag = randomUUID();
  const more = { metadata: { tag } };
  const hers = [await assistant(w, "alice", more)];
  const his = await assistant(w, "bob", more);
  for (let i = 0; i < 2; i++) hers.push(await assistant(w, "alice", more));
  return { tag, hers, his };
}

async function search(w) {
  const { tag, hers, his } = await mixed(w);
  const find = async (name, more = {}) => {
    const json = { metadata: { tag }, ...more };
    const answer = await w.ask(name, { method: "POST", path: "/assistants/search", json });
    assert.equal(answer.status, 200, `${name} ${JSON.stringify(json)}: ${answer.text}`);
    return answer;
  };
  assert.deepEqual(ids((await find("alice")).json), ids(hers));
  assert.deepEqual(ids((await find("admin")).json), ids([...hers, his]));
  for (const more of [{}, { graph_id: "agent" }, { select: ["assistant_id", "metadata"] }, { limit: 1 }, { limit: 1000 }]) {
    const answer = await find("bob", more);
    assert.deepEqual(ids(answer.json), [his.assistant_id], JSON.stringify(more));
    for (const one of hers) showsNothing(answer, one, JSON.stringify(more));
  }
  // The built-in ones carry no owner.
  const visible = await find("bob", { metadata: {}, limit: 1000 });
  for (const one of visible.json) assert.equal(one.metadata.owner, "bob");
  const page = { limit: 2, select: ["assistant_id"] };
  const pages = [await find("alice", page), await find("alice", { ...page, offset: 2 })];
  assert.deepEqual(pages.map(({ json }) => json.length), [2, 1]);
  assert.deepEqual(ids(pages.flatMap(({ json }) => json)), ids(hers));
  const nothing = likeness(await find("bob", { metadata: { tag: randomUUID() } }));
  const named = await find("bob", { name: hers[0].marker });
  assert.deepEqual(likeness(named), nothing);
  // Who asks for others' is told nothing of them, be there any or not.
  const others = likeness(await find("bob", { metadata: { tag: randomUUID(), owner: "nobody" } }));
  assert.deepEqual([others.status, others.body], [nothing.status, nothing.body]);
  assert.deepEqual(likeness(await find("bob", { metadata: { tag, owner: "alice" } })), others);
}

async function count(w) {
  const { tag, hers } = await mixed(w);
  const number = (name, metadata, more) =>
    made(w, name, { method: "POST", path: "/assistants/count", json: { metadata: { tag, ...metadata }, ...more } });
  assert.equal(await number("alice"), 3);
  assert.equal(await number("bob"), 1);
  assert.equal(await number("admin"), 4);
  assert.equal(await number("bob", { owner: "alice" }), 0);
  assert.equal(await number("bob", {}, { name: hers[0].marker }), 0);
}

// ---------------------------------------------------------------- single ones

const at = (rest) => ({ assistant_id }) => ({ path: `/assistants/${assistant_id}${rest}` });

const shows = ok((answer, { assistant_id, marker }) => {
  assert.deepEqual([answer.assistant_id, answer.name, answer.metadata.owner], [assistant_id, marker, "alice"]);
});

const patch = ({ assistant_id }, name) => ({
  path: `/assistants/${assistant_id}`,
  json: { name: "changed", metadata: { more: 1, ...(name === "admin" ? {} : { owner: "bob" }) } },
});

const patched = ok(async (answer, { assistant_id, marker }, w) => {
  for (const one of [answer, (await get(w, "alice", assistant_id)).json])
    assert.deepEqual([one.name, one.metadata], ["changed", { marker, owner: "alice", more: 1 }]);
});

const deleted = ok(async (answer, { assistant_id }, w) => {
  assert.deepEqual(answer, [assistant_id]);
  assert.equal((await get(w, "alice", assistant_id)).status, 404);
});

/** Two versions, the first with the marker. */
async function versioned(w, name) {
  const object = await assistant(w, name);
  await made(w, name, { method: "PATCH", path: `/assistants/${object.assistant_id}`, json: { name: "second" } });
  return object;
}

const versions = ok((answer) => {
  assert.deepEqual(answer.map((v) => v.version), [2, 1]);
  for (const one of answer) assert.equal(one.metadata.owner, "alice");
});

const latest = ok(async (answer, { assistant_id, marker }, w) => {
  assert.equal(answer.version, 1);
  assert.equal((await get(w, "alice", assistant_id)).json.name, marker);
});

const one = (row, ask, good, make = (w, name) => assistant(w, name)) => objectRow(row, { make, ask, good });
const read = (rest, check, query = "") =>
  one(`GET /assistants/{assistant_id}/${rest}`, at(`/${rest.replace("{namespace}", "nowhere")}${query}`), ok(check));

export const assistantRows = [
  { row: "POST /assistants", test: create },
  { row: "POST /assistants/search", test: search },
  { row: "POST /assistants/count", test: count },
  one("GET /assistants/{assistant_id}", at(""), shows),
  one("PATCH /assistants/{assistant_id}", patch, patched),
  one("DELETE /assistants/{assistant_id}", at(""), deleted),
  read("graph", (graph) => assert.ok(graph.nodes.length >= 3), "?xray=true"),
  read("schemas", (schemas) => assert.equal(schemas.graph_id, "agent")),
  read("subgraphs", (subgraphs) => assert.deepEqual(subgraphs, {}), "?recurse=true"),
  read("subgraphs/{namespace}", (subgraphs) => assert.deepEqual(subgraphs, {})),
  one("POST /assistants/{assistant_id}/latest", ({ assistant_id }) => ({ path: `/assistants/${assistant_id}/latest`, json: { version: 1 } }), latest, versioned),
  one("POST /assistants/{assistant_id}/versions", ({ assistant_id }) => ({ path: `/assistants/${assistant_id}/versions`, json: { limit: 5 } }), versions, versioned),
];
