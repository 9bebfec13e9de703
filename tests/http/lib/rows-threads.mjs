// SPDX-License-Identifier: Apache-2.0
// The endpoints of threads, one test each.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { likeness, objectRow, showsNothing } from "./like.mjs";
import { made, stored, thread } from "./objects.mjs";

const get = (w, name, id) => w.ask(name, { path: `/threads/${id}` });
const ids = (list) => list.map((entry) => entry.thread_id).sort();

/** The row's usual answer to its owner and the admin. */
const ok = (check) => async (answer, object, w, name) => {
  assert.equal(answer.status, 200, `${name}: ${answer.status} ${answer.text}`);
  await check(answer.json, object, w, name);
};

// ------------------------------------------------------------------- create

async function create(w) {
  const post = (name, json) => w.ask(name, { method: "POST", path: "/threads", json });
  const marker = `marker-${randomUUID()}`;
  const thread_id = randomUUID();
  const metadata = { marker, owner: "bob", graph_id: "agent" };
  const first = await post("alice", { thread_id, metadata });
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.json.metadata, { ...metadata, owner: "alice" });

  const hers = { thread_id, marker };
  const before = await stored(w, hers);
  const own = await thread(w, "bob");
  const steps = { supersteps: [{ updates: [{ values: { text: "stolen" }, as_node: "speak" }] }] };
  for (const more of [{}, { if_exists: "raise" }, { if_exists: "do_nothing" }, steps, { ...steps, if_exists: "do_nothing" }]) {
    const foreign = await post("bob", { thread_id, ...more });
    const taken = await post("bob", { thread_id: own.thread_id, if_exists: "raise" });
    assert.equal(foreign.status, 409, `${JSON.stringify(more)}: ${foreign.text}`);
    assert.deepEqual(likeness(foreign, [thread_id]), likeness(taken, [own.thread_id]), JSON.stringify(more));
  }
  assert.deepEqual(await stored(w, hers), before);

  for (const name of ["alice", "admin"]) {
    const again = await post(name, { thread_id, if_exists: "do_nothing" });
    assert.equal(again.status, 200, `${name} ${again.text}`);
    assert.equal(again.json.metadata.marker, marker);
  }
  const stepped = await made(w, "alice", { method: "POST", path: "/threads", json: { metadata: { graph_id: "agent" }, ...steps } });
  const state = await made(w, "alice", { path: `/threads/${stepped.thread_id}/state` });
  assert.equal(state.values.text, "stolen");
  assert.equal((await get(w, "bob", stepped.thread_id)).status, 404);
}

// --------------------------------------------------------- search and count

/** Three of alice's and one of bob's, by turns. */
async function mixed(w) {
  const topic = randomUUID();
  const hers = [await thread(w, "alice", { topic })];
  const his = await thread(w, "bob", { topic });
  for (let i = 0; i < 2; i++) hers.push(await thread(w, "alice", { topic }));
  return { topic, hers, his };
}

async function search(w) {
  const { topic, hers, his } = await mixed(w);
  const find = async (name, more = {}) => {
    const json = { metadata: { topic }, ...more };
    const answer = await w.ask(name, { method: "POST", path: "/threads/search", json });
    assert.equal(answer.status, 200, `${name} ${JSON.stringify(json)}: ${answer.text}`);
    return answer;
  };
  assert.deepEqual(ids((await find("alice")).json), ids(hers));
  assert.deepEqual(ids((await find("admin")).json), ids([...hers, his]));
  for (const more of [
    {}, { metadata: undefined, ids: [his.thread_id] }, { sort_by: "thread_id", sort_order: "asc" },
    { select: ["thread_id", "metadata"] }, { status: "idle" }, { limit: 1 }, { limit: 1000 },
  ]) {
    const answer = await find("bob", more);
    assert.deepEqual(ids(answer.json), [his.thread_id], JSON.stringify(more));
    for (const one of hers) showsNothing(answer, one, JSON.stringify(more));
    if (more.limit !== 1) assert.equal(answer.header("x-pagination-total"), "1", JSON.stringify(more));
  }
  await pages(find, hers);
  const nothing = likeness(await find("bob", { metadata: { topic: randomUUID() } }));
  for (const more of [
    { metadata: { topic, marker: hers[0].marker } }, { ids: ids(hers) }, { offset: 1 }, { values: { text: hers[0].marker } },
  ]) {
    const answer = await find("bob", more);
    assert.deepEqual(answer.json, [], JSON.stringify(more));
    if (!more.offset) assert.deepEqual(likeness(answer), nothing, JSON.stringify(more));
  }
  // Who asks for others' is told nothing of them, be there any or not.
  const others = likeness(await find("bob", { metadata: { topic: randomUUID(), owner: "nobody" } }));
  assert.deepEqual([others.status, others.body], [nothing.status, nothing.body]);
  for (const owner of ["alice", null, { $ne: "bob" }])
    assert.deepEqual(likeness(await find("bob", { metadata: { topic, owner } })), others, JSON.stringify(owner));
}

/** No page has a gap where something foreign was. */
async function pages(find, hers) {
  const sorted = { sort_by: "created_at", sort_order: "asc", limit: 2, select: ["thread_id"] };
  const first = await find("alice", sorted);
  const second = await find("alice", { ...sorted, offset: 2 });
  assert.deepEqual([first.json.length, second.json.length], [2, 1]);
  assert.deepEqual(Object.keys(first.json[0]), ["thread_id"], "just what was selected");
  assert.deepEqual([...first.json, ...second.json].map((t) => t.thread_id), hers.map((t) => t.thread_id));
}

async function count(w) {
  const { topic, hers } = await mixed(w);
  const number = async (name, metadata, more) => {
    const json = { metadata: { topic, ...metadata }, ...more };
    return made(w, name, { method: "POST", path: "/threads/count", json });
  };
  assert.equal(await number("alice"), 3);
  assert.equal(await number("bob"), 1);
  assert.equal(await number("admin"), 4);
  assert.equal(await number("bob", { owner: "alice" }), 0);
  assert.equal(await number("bob", { marker: hers[0].marker }), 0);
  assert.equal(await number("bob", {}, { status: "idle" }), 1);
  assert.equal(await number("bob", {}, { values: { text: hers[0].marker } }), 0);
}

// ------------------------------------------------------------- single threads

const at = (rest) => ({ thread_id }) => ({ path: `/threads/${thread_id}${rest}` });

const shows = ok((thread, { thread_id, marker }) => {
  assert.equal(thread.thread_id, thread_id);
  assert.equal(thread.metadata.marker, marker);
  assert.equal(thread.metadata.owner, "alice");
});

const patched = ok(async (answer, { thread_id, marker }, w) => {
  for (const thread of [answer, (await get(w, "alice", thread_id)).json]) {
    assert.equal(thread.metadata.topic, "new");
    assert.equal(thread.metadata.marker, marker);
    assert.equal(thread.metadata.owner, "alice");
  }
});

// What an admin says is not stamped over.
const patch = ({ thread_id }, name) => ({
  path: `/threads/${thread_id}`,
  json: { metadata: { topic: "new", ...(name === "admin" ? {} : { owner: "bob" }) } },
});

async function deleted(answer, { thread_id }, w, name) {
  assert.equal(answer.status, 204, `${name} ${answer.text}`);
  assert.equal((await get(w, "alice", thread_id)).status, 404);
  assert.equal((await w.truth({ path: `/threads/${thread_id}` })).status, 404);
}

const copied = ok(async (copy, { thread_id, marker }, w, name) => {
  assert.notEqual(copy.thread_id, thread_id);
  const kept = (await get(w, "alice", copy.thread_id)).json;
  assert.deepEqual([kept.metadata.owner, kept.metadata.marker], ["alice", marker], name);
  assert.equal((await get(w, "bob", copy.thread_id)).status, 404);
});

const hasState = ok((state, { marker }) => assert.equal(state.values.text, marker));
const hasHistory = ok((states, { marker }) => {
  assert.ok(states.length >= 1);
  assert.equal(states[0].values.text, marker);
});

const written = ok(async (answer, { thread_id }, w) => {
  assert.equal(answer.checkpoint.thread_id ?? thread_id, thread_id);
  assert.equal((await made(w, "alice", { path: `/threads/${thread_id}/state` })).values.text, "changed");
});

const one = (row, ask, good, more) => objectRow(row, { make: (w, name) => thread(w, name), ask, good, ...more });
const post = (rest, json) => ({ thread_id, ...object }) => ({ path: `/threads/${thread_id}${rest}`, json: json(object) });

export const threadRows = [
  { row: "POST /threads", test: create },
  { row: "POST /threads/search", test: search },
  { row: "POST /threads/count", test: count },
  one("GET /threads/{thread_id}", at(""), shows),
  one("PATCH /threads/{thread_id}", patch, patched),
  one("DELETE /threads/{thread_id}", at(""), deleted),
  one("POST /threads/{thread_id}/copy", at("/copy"), copied, { foreign: 409 }),
  one("GET /threads/{thread_id}/state", at("/state?subgraphs=true"), hasState),
  one("POST /threads/{thread_id}/state", post("/state", () => ({ values: { text: "changed" } })), written),
  one(
    "GET /threads/{thread_id}/state/{checkpoint_id}",
    ({ thread_id, checkpoint_id }) => ({ path: `/threads/${thread_id}/state/${checkpoint_id}` }),
    hasState,
  ),
  one(
    "POST /threads/{thread_id}/state/checkpoint",
    post("/state/checkpoint", ({ checkpoint_id }) => ({ checkpoint: { checkpoint_id, checkpoint_ns: "" } })),
    hasState,
  ),
  one("GET /threads/{thread_id}/history", at("/history?limit=2"), hasHistory),
  one("POST /threads/{thread_id}/history", post("/history", () => ({ limit: 2 })), hasHistory),
];
