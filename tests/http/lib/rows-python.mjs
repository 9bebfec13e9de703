// SPDX-License-Identifier: Apache-2.0
// The endpoints that only the Python server has, one test each, and those of
// crons, which the JavaScript server only refuses.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { foreignView, likeMissing, likeness, objectRow, runViews, showsNothing } from "./like.mjs";
import { assistant, made, nobodys, run, stored, thread } from "./objects.mjs";

const post = (path) => (w, name, json, more) => w.ask(name, { method: "POST", path, json, ...more });
const bare = (path) => path.split("?")[0];

/* A refusal is logged with its events, and looks the same to everybody. */
async function decided(w, answer, events) {
  const decision = await w.decision(answer);
  assert.deepEqual([decision.events ?? [], decision.user], [events, "alice"]);
}

/** A foreign and a missing one are asked for, and nothing else reaches the backend. */
function guarded(row, events, spec) {
  const { test: looksMissing } = objectRow(row, spec);
  const [method] = row.split(" ");
  async function test(w) {
    await looksMissing(w);
    const hers = await spec.make(w, "alice");
    const line = `${method} ${bare(spec.ask(hers).path)}`;
    const send = (name, object) => w.ask(name, { method, ...spec.ask(object) });
    assert.deepEqual(await w.reaching(line, () => send("bob", hers)), []);
    const seen = await w.reaching(line, async () => decided(w, await send("alice", hers), events));
    assert.equal(seen.length, 1, `${row} is not asked once`);
    await spec.also?.(w, hers);
  }
  return { row, test };
}

/** Nobody gets on, whatever it is; nothing reaches the backend. */
function refused(row, events, ask, also) {
  const [method] = row.split(" ");
  async function test(w) {
    const { path, ...what } = await ask(w);
    const seen = await w.reaching(`${method} ${path}`, async () => {
      for (const name of ["alice", "bob", "admin"]) {
        const answer = await w.ask(name, { method, path, ...what });
        assert.deepEqual([answer.status, answer.header("agentauth-error")], [403, "AGA0211"], `${name} ${answer.text}`);
        if (name === "alice") await decided(w, answer, events);
      }
    });
    assert.deepEqual(seen, []);
    await also?.(w, path);
  }
  return { row, refused: true, ask, method, test };
}

/** Nobody's object: the same for every user, and nothing for nobody. */
function forAll(row, status) {
  const [method, path] = row.split(" ");
  async function test(w) {
    const hers = await w.ask("alice", { method, path });
    assert.equal(hers.status, status, hers.text);
    for (const name of ["bob", "admin"]) assert.deepEqual(likeness(await w.ask(name, { method, path })), likeness(hers));
    const seen = await w.reaching(row, async () => {
      assert.equal((await w.ask(null, { method, path })).status, 401);
      await decided(w, await w.ask("alice", { method, path }), []);
    });
    assert.equal(seen.length, 1);
  }
  return { row, test };
}

// ------------------------------------------------------------------- threads

const prunes = post("/threads/prune");

async function prune(w) {
  const row = "POST /threads/prune";
  const hers = await thread(w, "alice");
  const his = [await thread(w, "bob"), await thread(w, "bob")];
  const before = await Promise.all([hers, ...his].map((one) => stored(w, one)));
  const all = his.map((one) => one.thread_id);
  const seen = await w.reaching(row, async () => {
    for (const [about, list] of Object.entries({
      foreign: (id) => [id], "after his own": (id) => [...all, id], "before his own": (id) => [id, ...all],
      "in upper case": (id) => [all[0], id.toUpperCase()],
    }))
      for (const view of foreignView(w, hers))
        await likeMissing(w, row, { ...view, about }, (name, { thread_id }) => prunes(w, name, { thread_ids: list(thread_id) }), 404);
    for (const thread_ids of [hers.thread_id, { 0: hers.thread_id }, [[hers.thread_id]], [null], null, undefined])
      assert.equal((await prunes(w, "bob", { thread_ids })).status, 422, JSON.stringify(thread_ids));
    const twice = `{"thread_ids":["${all[0]}"],"thread_ids":["${hers.thread_id}"]}`;
    const headers = { "Content-Type": "application/json", "Content-Length": twice.length };
    assert.equal((await w.httpd.request({ method: "POST", path: "/threads/prune", body: twice, headers: { ...headers, "X-API-Key": w.keys.bob } })).status, 400);
  });
  assert.deepEqual(seen, []);
  assert.deepEqual(await Promise.all([hers, ...his].map((one) => stored(w, one))), before);

  assert.equal((await made(w, "bob", { method: "POST", path: "/threads/prune", json: { thread_ids: all } })).pruned_count, 2);
  const left = ({ thread_id }) => w.backend.threads.has(thread_id);
  assert.deepEqual([hers, ...his].map(left), [true, false, false]);
  const other = await thread(w, "alice");
  await decided(w, await prunes(w, "alice", { thread_ids: [hers.thread_id] }), ["threads:delete"]);
  assert.equal((await prunes(w, "admin", { thread_ids: [other.thread_id] })).status, 200);
  assert.deepEqual([hers, other].map(left), [false, false]);
}

const ok = (check) => async (answer, object, w, name) => {
  assert.equal(answer.status, 200, `${name}: ${answer.status} ${answer.text}`);
  await check(answer, object);
};

const at = (rest) => ({ thread_id }) => ({ path: `/threads/${thread_id}${rest}` });
const makesThread = (w, name) => thread(w, name);

const streams = ok((answer, { marker }) => {
  assert.equal(answer.header("content-type"), "text/event-stream");
  assert.ok(answer.text.includes(marker));
});

/** Who reads along does not cancel. */
async function readsOnly(w, { thread_id }) {
  const path = `/threads/${thread_id}/stream`;
  const [seen] = await w.reaching(`GET ${path}`, () =>
    w.ask("alice", { path: `${path}?cancel_on_disconnect=true&stream_modes=values&cancel%5Fon_disconnect=1` }));
  assert.equal(seen.url, `${path}?stream_modes=values`);
}

// ---------------------------------------------------------------------- runs

const cancels = post("/runs/cancel?action=interrupt");

async function cancel(w) {
  const row = "POST /runs/cancel";
  const hers = await run(w, "alice"), his = await run(w, "bob");
  const own = { thread_id: his.thread_id };
  const states = () => [hers, his].map(({ run_id }) => w.backend.runs.get(run_id).status);
  const before = states();
  const seen = await w.reaching(row, async () => {
    for (const list of [(id) => [id], (id) => [his.run_id, id], (id) => [id, his.run_id]])
      for (const view of await runViews(w, hers)) {
        const send = (name, { thread_id, run_id }) => cancels(w, name, { thread_id, run_ids: list(run_id) });
        await likeMissing(w, row, view, send, 404);
      }
    // Among runs of one's own thread as well.
    const mixed = await cancels(w, "bob", { ...own, run_ids: [his.run_id, hers.run_id] });
    assert.equal(mixed.status, 404, mixed.text);
    const run_ids = [hers.run_id];
    const nothing = [400, "AGA0303"], unclear = [422, "AGA0709"];
    for (const [json, wanted] of [
      [{ status: "all" }, nothing], [{ status: "all", thread_id: null }, nothing], [{ run_ids }, nothing], [{}, nothing],
      [own, unclear], [{ ...own, status: "all" }, unclear], [{ ...own, run_ids: hers.run_id }, unclear],
      [{ thread_id: [own.thread_id], run_ids }, unclear],
    ]) {
      const answer = await cancels(w, "bob", json);
      assert.deepEqual([answer.status, answer.header("agentauth-error")], wanted, JSON.stringify(json));
    }
  });
  assert.deepEqual(seen, []);
  assert.deepEqual(states(), before);

  const [reached] = await w.reaching(row, async () => {
    const answer = await cancels(w, "bob", { ...own, run_ids: [his.run_id], status: "all" });
    assert.equal(answer.status, 204, answer.text);
  });
  assert.deepEqual(JSON.parse(reached.text), { ...own, run_ids: [his.run_id] });
  assert.deepEqual(states(), [before[0], "interrupted"]);
  await decided(w, await cancels(w, "alice", { thread_id: hers.thread_id, run_ids: [hers.run_id] }), ["threads:update"]);
  assert.deepEqual(states(), ["interrupted", "interrupted"]);
}

// --------------------------------------------------------------------- crons

const cron = (w, name, { path = "/runs/crons", ...more } = {}) =>
  w.ask(name, { method: "POST", path, json: { assistant_id: "agent", schedule: "0 0 1 1 *", ...more } });

/** Three of alice's and one of bob's for one assistant, by turns. */
async function mixed(w) {
  const assistant_id = `agent-${randomUUID()}`;
  const { thread_id } = await thread(w, "alice");
  const marker = `marker-${randomUUID()}`;
  const all = [];
  for (const [name, more] of [["alice", { thread_id }], ["bob", {}], ["alice", { input: { marker } }], ["alice", {}]]) {
    const answer = await cron(w, name, { assistant_id, ...more });
    assert.equal(answer.status, 200, answer.text);
    all.push({ name, ...answer.json });
  }
  return { assistant_id, thread_id, marker, of: (who) => all.filter(({ name }) => name === who).map((c) => c.cron_id).sort() };
}

async function cronCount(w) {
  const { assistant_id, thread_id } = await mixed(w);
  const number = (name, more) => made(w, name, { method: "POST", path: "/runs/crons/count", json: { assistant_id, ...more } });
  const names = ["alice", "bob", "admin"];
  assert.deepEqual(await Promise.all(names.map((name) => number(name))), [3, 1, 4]);
  assert.deepEqual(await Promise.all(names.map((name) => number(name, { thread_id }))), [1, 0, 1]);
  for (const more of [{ metadata: { owner: "alice" } }, { select: ["cron_id", "metadata"] }, { limit: 1000 }, { offset: 5 }])
    assert.ok((await number("bob", more)) <= 1, JSON.stringify(more));
  const asks = (thread_id) => w.ask("bob", { method: "POST", path: "/runs/crons/count", json: { thread_id } });
  assert.deepEqual(likeness(await asks(thread_id)), likeness(await asks(randomUUID())));
  const seen = await w.reaching("POST /runs/crons/count", () => number("bob"));
  assert.deepEqual(seen, [], "the backend's own number says how many there are of others");
  await decided(w, await w.ask("alice", { method: "POST", path: "/runs/crons/count", json: {} }), ["crons:search", "threads:search"]);
}

async function cronSearch(w) {
  const { assistant_id, thread_id, marker, of } = await mixed(w);
  const find = (name, more) => w.ask(name, { method: "POST", path: "/runs/crons/search", json: { assistant_id, ...more } });
  const ids = async (name, more) => (await find(name, more)).json.map((c) => c.cron_id).sort();
  assert.deepEqual(await ids("alice"), of("alice"));
  assert.deepEqual(await ids("admin"), [...of("alice"), ...of("bob")].sort());
  for (const more of [{}, { limit: 1 }, { limit: 1000 }]) {
    const answer = await find("bob", more);
    assert.deepEqual(answer.json.map((c) => c.cron_id), of("bob"), JSON.stringify(more));
    showsNothing(answer, { marker }, JSON.stringify(more));
    if (more.limit !== 1) assert.equal(answer.header("x-pagination-total"), "1");
  }
  const pages = [await ids("alice", { limit: 2 }), await ids("alice", { limit: 2, offset: 2 })];
  assert.deepEqual(pages.map((page) => page.length), [2, 1], "no page has a gap");
  assert.deepEqual(pages.flat().sort(), of("alice"));
  assert.deepEqual(likeness(await find("bob", { thread_id })), likeness(await find("bob", { thread_id: randomUUID() })));
  await decided(w, await find("alice"), ["crons:search", "threads:search"]);
}

/** POST /runs/crons, and below a thread. */
function cronRow(row, events, where) {
  async function test(w) {
    const hers = await thread(w, "alice"), his = await thread(w, "bob"), theirs = await assistant(w, "alice");
    const make = (name, { thread_id }, more) => cron(w, name, { ...where(thread_id), ...more });
    const before = [...w.backend.crons.keys()];
    for (const view of foreignView(w, hers)) {
      await likeMissing(w, row, view, make, 404);
      const body = (name, { thread_id }) => make(name, his, { thread_id });
      await likeMissing(w, row, { ...view, about: "another thread in the body" }, body, 404);
    }
    for (const view of foreignView(w, theirs))
      await likeMissing(w, row, { ...view, about: "foreign assistant" }, (name, { assistant_id }) => make(name, his, { assistant_id }), 404);
    assert.deepEqual([...w.backend.crons.keys()], before, "a cron was made");

    const answer = await make("alice", hers, {
      metadata: { owner: "bob", n: 1 }, webhook: "/threads/x/state", input: { x: 1 },
      config: { configurable: { thread_id: his.thread_id, langgraph_auth_user_id: "bob", langgraph_auth_permissions: ["admin"], a: 1 } },
      context: { langgraph_auth_user: { identity: "bob" }, b: 1 }, checkpoint: { thread_id: his.thread_id, c: 1 },
    });
    assert.equal(answer.status, 200, answer.text);
    const { payload, thread_id, metadata } = w.backend.crons.get(answer.json.cron_id);
    assert.deepEqual([thread_id, metadata, payload.input], [hers.thread_id, { owner: "alice", n: 1 }, { x: 1 }]);
    const { langgraph_auth_user: user, ...configurable } = payload.config.configurable;
    assert.equal(user.identity, "alice");
    assert.deepEqual(configurable, { a: 1, langgraph_auth_user_id: "alice", langgraph_auth_permissions: [] });
    assert.deepEqual([payload.webhook, payload.context, payload.checkpoint], [undefined, { b: 1 }, { c: 1 }]);
    await decided(w, answer, events);
    assert.equal((await make("admin", hers)).status, 200);
    const [seen] = await w.reaching(`POST ${where(hers.thread_id).path ?? "/runs/crons"}`, () =>
      w.ask("alice", { method: "POST", ...(({ path = "/runs/crons", ...json }) => ({ path, json: { assistant_id: "agent", ...json } }))(where(hers.thread_id)), headers: { "X-Told": "1" } }));
    assert.equal(seen.headers["x-told"], undefined, "the graph would see it");
  }
  return { row, test };
}

/* Whoever knows its id. */
const oneCron = (json) => async (w) => {
  const { json: { cron_id } } = await cron(w, "alice");
  return { path: `/runs/crons/${cron_id}`, ...(json ? { json } : {}) };
};

async function unchanged(w, path) {
  assert.equal(w.backend.crons.get(path.split("/").at(-1))?.schedule, "0 0 1 1 *");
}

// ----------------------------------------------------------- other protocols

const makesAssistant = (w, name) => assistant(w, name);
const card = ({ assistant_id }) => ({ path: `/.well-known/agent-card.json?assistant_id=${assistant_id}` });
const shows = ok((answer, { marker }) => assert.equal(answer.json.name, marker));

/** The one that is asked for is the one that is shown. */
async function oneCard(w, hers) {
  const [a, b] = [hers.assistant_id, (await assistant(w, "bob")).assistant_id];
  const seen = await w.reaching("GET /.well-known/agent-card.json", async () => {
    for (const query of [
      `assistant_id=${b}&assistant_id=${a}`, `assistant_id=${a}&assistant_id=${b}`, `assistant_id=${b}&assistant%5Fid=${a}`,
      `assistant%5fid=${a}`, `assistant_id=${a.toUpperCase()}`, "assistant_id=", "", `x=1&assistant_id=${a}`,
    ]) {
      const answer = await w.ask("bob", { path: `/.well-known/agent-card.json?${query}` });
      assert.ok([400, 404, 422].includes(answer.status), `${query}: ${answer.status}`);
      showsNothing(answer, hers, query);
    }
  });
  assert.deepEqual(seen, []);
  for (const query of [`ASSISTANT_ID=${a}&assistant_id=${b}`, `assistant_id=${b};assistant_id=${a}`, `assistant_id[]=${a}&assistant_id=${b}`])
    showsNothing(await w.ask("bob", { path: `/.well-known/agent-card.json?${query}` }), hers, query);
}

const call = (method, params) => ({ json: { jsonrpc: "2.0", id: 1, method, params } });

/** Every method alike; one that is not known, or several at once, are nothing. */
const everyMethod = (known) => async (w, path) => {
  const send = (json) => w.ask("bob", { method: "POST", path, json });
  const seen = await w.reaching(`POST ${path}`, async () => {
    for (const method of known) assert.equal((await send(call(method).json)).header("agentauth-error"), "AGA0211", method);
    for (const json of [call("tasks/resubscribe").json, call("resources/read").json, { method: [known[0]] }, {}, [call(known[0]).json]])
      assert.ok([400, 403].includes((await send(json)).status), JSON.stringify(json));
  });
  assert.deepEqual(seen, []);
};

async function a2a(w) {
  const { assistant_id } = await assistant(w, "alice");
  const { thread_id } = await thread(w, "alice");
  return { path: `/a2a/${assistant_id}`, ...call("message/send", { message: { contextId: thread_id, role: "user", parts: [] } }) };
}

export const pythonRows = [
  { row: "POST /threads/prune", test: prune },
  guarded("GET /threads/{thread_id}/stream", ["threads:read"], { make: makesThread, ask: at("/stream?stream_modes=values"), good: streams, also: readsOnly }),
  guarded("GET /threads/{thread_id}/storage", ["threads:read"], {
    make: makesThread, ask: at("/storage"), good: ok((answer, { marker }) => assert.deepEqual(answer.json, { files: [{ text: marker }] })),
  }),
  { row: "POST /runs/cancel", test: cancel },
  { row: "POST /runs/crons/count", test: cronCount },
  refused("PATCH /runs/crons/{cron_id}", ["crons:update", "threads:read"], oneCron({ schedule: "* * * * *" }), unchanged),
  refused("POST /a2a/{assistant_id}", ["threads:create_run"], a2a, everyMethod(["message/send", "message/stream", "tasks/get", "tasks/cancel"])),
  guarded("GET /.well-known/agent-card.json", ["assistants:read"], { make: makesAssistant, ask: card, good: shows, also: oneCard }),
  refused("POST /mcp/", ["threads:create_run", "assistants:search"], () => ({ path: "/mcp/", ...call("tools/call", { name: "agent", arguments: {} }) }), everyMethod(["tools/call", "tools/list", "initialize", "ping"])),
  forAll("GET /mcp/", 405),
  forAll("DELETE /mcp/", 404),
  forAll("GET /docs", 200),
  forAll("GET /openapi.json", 200),
  refused("GET /metrics", [], () => ({ path: "/metrics" })),
];

/** The JavaScript server says 500 to these before anybody is asked. */
export const cronRows = [
  cronRow("POST /runs/crons", ["crons:create", "assistants:read", "threads:read"], (thread_id) => ({ thread_id })),
  cronRow("POST /threads/{thread_id}/runs/crons", ["crons:create", "threads:read", "assistants:read"], (thread_id) => ({ path: `/threads/${thread_id}/runs/crons` })),
  { row: "POST /runs/crons/search", test: cronSearch },
  refused("DELETE /runs/crons/{cron_id}", ["crons:delete", "threads:read"], oneCron(), unchanged),
];
