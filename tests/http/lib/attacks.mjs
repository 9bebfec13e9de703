// SPDX-License-Identifier: Apache-2.0
// What bob may try at an agent server, each attack beside its twin that is let
// in. The policy is TEMPTING of lib/policies.mjs.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { differs } from "./differences.mjs";
import { bodyAttacks } from "./attacks-bodies.mjs";
import { likeness, showsNothing } from "./like.mjs";
import { assistant, made, nobodys, stored, thread } from "./objects.mjs";
import { command, ended, hears, runStart, subscribe } from "./rows-protocol.mjs";

/** Nothing of the object is in the answer; what a mode is known to show, is. */
function hidden(w, danger, about, answer, object) {
  if (!differs(w.mode, `danger ${danger}`, about)) return showsNothing(answer, object, about);
  assert.ok(answer.text.includes(object.marker), `danger ${danger}, ${about}: is no longer shown`);
}

// ------------------------------------------------------------ 4. odd spellings

const SPELLINGS = [
  "/thread%73/ID", "/%74hreads/ID", "//threads/ID", "/threads//ID", "/threads/ID/", "/threads/ID/.", "/./threads/ID",
  "/ok/../threads/ID", "/ok/%2e%2e/threads/ID", "/ok/..%2fthreads/ID", "/threads%2fID", "/threads/%2e/ID", "/THREADS/ID",
  "/threads/ID;x", "/threads;x/ID", "/threads/ID%00", "/threads/ID%20", "/threads/ID%3f", "/threads/ID?x=/../y",
  "/threads\\ID", "/threads/ID%5c", "/threads/%2574/../ID", "/threads/ID/state/..", "/threads/ID/%73tate", "/threads/ID/state%2f",
  "/assistants/../threads/ID", "http://gateway.test/threads/ID",
];

async function spellings(w) {
  const hers = await thread(w, "alice");
  const spell = (name, path, method = "GET") => w.ask(name, { method, path: path.replaceAll("ID", hers.thread_id) });
  const before = await stored(w, hers);
  for (const path of SPELLINGS) {
    for (const method of ["GET", "HEAD", "DELETE"]) {
      const answer = await spell("bob", path, method);
      showsNothing(answer, hers, `${method} ${path}`);
      assert.ok(answer.status >= 400, `${method} ${path}: ${answer.status}`);
    }
  }
  const changed = Buffer.from(hers.thread_id).toString("latin1").replace(/[a-f0-9]/, (c) => `%${c.charCodeAt(0).toString(16)}`);
  showsNothing(await w.ask("bob", { path: `/threads/${changed}` }), hers, "an escape in the id");
  assert.deepEqual(await stored(w, hers), before);
  for (const path of ["/threads/ID", "/thread%73/ID", "/%74hreads/ID"])
    assert.equal((await spell("alice", path)).json.metadata.marker, hers.marker, path);
}

/** Names that are read twice, or only by one of two readers. */
async function twice(w) {
  const hers = await thread(w, "alice", { topic: "t" });
  const bodies = [
    '{"metadata":{"owner":"bob"},"metadata":{"owner":"alice"}}', '{"metadata":{"owner":"bob","owner":"alice"}}',
    '{"metadata":{"\\u006fwner":"alice"}}', '{"\\u006detadata":{"owner":"alice"}}', '{"metadata":{"owner":"alice"}}',
    '{"metadata":{"owner":{"$ne":"bob"}}}', '{"metadata":{"owner":["alice"]}}', '{"metadata":null}', '{"metadata":{},"ids":["ID"]}',
    '[{"metadata":{}}]', "null", '"x"', "",
  ];
  for (const text of bodies) {
    const body = text.replace("ID", hers.thread_id);
    const headers = { "Content-Type": "application/json" };
    const answer = await w.ask("bob", { method: "POST", path: "/threads/search", body, headers });
    showsNothing(answer, hers, text);
    if (answer.status === 200) for (const one of answer.json) assert.equal(one.metadata?.owner, "bob", text);
    const created = await w.ask("bob", { method: "POST", path: "/threads", body, headers });
    if (created.status === 200) assert.equal(created.json.metadata.owner, "bob", text);
  }
  const found = await made(w, "alice", { method: "POST", path: "/threads/search", json: { ids: [hers.thread_id] } });
  assert.equal(found.length, 1);
}

// -------------------------------------------------------------- 5. protocol v2

async function protocol(w) {
  if (w.mode === "headers") {
    const answer = await command(w, "alice", await thread(w, "alice"), "state.get");
    return assert.equal(answer.header("agentauth-error"), "AGA0211");
  }
  // After alice.
  const hers = await thread(w, "alice");
  await ended(w, "alice", hers, await runStart(w, "alice", hers, { input: { text: hers.marker } }));
  const about = "after alice has used it";
  hidden(w, 5, about, await command(w, "bob", hers, "state.get"), hers);
  const before = await stored(w, hers);
  const start = await runStart(w, "bob", hers, { input: { text: "stolen" } });
  if (differs(w.mode, "danger 5", about)) assert.equal((await ended(w, "alice", hers, start)).caller, "alice", "bob ran as alice");
  else {
    assert.equal(start.status, 404, start.text);
    assert.deepEqual(await stored(w, hers), before);
    assert.ok(!(await hears(await subscribe(w, "bob", hers), hers.marker, 1500)), "bob hears of her run");
    const values = await ended(w, "admin", hers, await runStart(w, "admin", hers));
    assert.equal(values.caller, "admin", "the admin runs as the admin");
  }
  // Before alice.
  const next = await thread(w, "alice");
  await command(w, "bob", next, "state.get");
  const own = await command(w, "alice", next, "state.get");
  if (differs(w.mode, "danger 5", "after bob has tried it")) assert.equal(own.status, 404);
  else assert.equal(own.json.result?.values.text, next.marker, own.text);
}

/** The server replays what streamed under an id to whoever has it next. */
async function reused(w) {
  const make = (name, { thread_id }, more) => w.ask(name, { method: "POST", path: "/threads", json: { thread_id, ...more } });
  const hers = await thread(w, "alice");
  if (w.mode !== "headers") await ended(w, "alice", hers, await runStart(w, "alice", hers, { input: { text: hers.marker } }));
  assert.ok((await w.ask("alice", { method: "DELETE", path: `/threads/${hers.thread_id}` })).status < 300);
  const taken = await make("bob", hers);
  if (w.mode === "headers") return assert.equal(taken.status, 200); // protocol v2 is refused there
  if (differs(w.mode, "danger 5", "the id of a deleted thread")) {
    assert.equal(taken.status, 200, taken.text);
    return assert.ok(await hears(await subscribe(w, "bob", hers), hers.marker), "it is no longer replayed");
  }
  const there = await thread(w, "alice");
  assert.deepEqual(likeness(taken, hers.ids), likeness(await make("bob", there), there.ids), "as of a thread that is there");
  assert.equal(taken.status, 409);
  const json = { assistant_id: "agent", if_not_exists: "create" };
  const tries = [
    await make("bob", hers, { if_exists: "do_nothing" }),
    await make("admin", hers),
    await w.ask("bob", { method: "POST", path: `/threads/${hers.thread_id}/runs`, json }),
    await runStart(w, "bob", hers),
  ];
  assert.deepEqual(tries.map((t) => t.status), [409, 409, 404, 404]);
  assert.ok(!(await hears(await subscribe(w, "bob", hers), hers.marker, 1500)), "bob hears of her run");
  assert.equal((await make("alice", hers)).status, 200, "it is hers still");
  assert.equal((await make("bob", hers)).status, 409);
}

// ---------------------------------------------------- 6. a foreign run's stream

/** The texts of events until the stream ends. */
async function all(stream) {
  const seen = [];
  for await (const { data } of stream.events) seen.push(data);
  return seen;
}

async function foreignStream(w) {
  const hers = await thread(w, "alice");
  const own = await thread(w, "bob");
  const gate = randomUUID();
  const stream = await w.stream("alice", {
    method: "POST",
    path: `/threads/${hers.thread_id}/runs/stream`,
    json: { assistant_id: "agent", input: { text: hers.marker, ticks: 2, gate }, stream_mode: ["custom", "values"] },
  });
  const run_id = stream.headers.get("content-location").split("/").at(-1);
  await w.gates.arrived(`${gate}.0`);
  const tries = await Promise.all([
    w.stream("bob", { path: `/threads/${own.thread_id}/runs/${run_id}/stream` }),
    w.stream("bob", { path: `/runs/${run_id}/stream` }),
  ]);
  const heard = Promise.all(tries.map(all));
  for (const name of ["0", "1", "end"]) w.gates.open(`${gate}.${name}`);
  const seen = (await all(stream)).join("\n");
  const stolen = (await heard).flat().join("\n");
  if (differs(w.mode, "danger 6", "through one's own thread")) return;
  for (const part of ['"tick":0', '"tick":1', `echo: ${hers.marker}`]) assert.ok(seen.includes(part), `alice misses ${part}`);
  assert.ok(!/tick|marker/.test(stolen), stolen);
  assert.deepEqual(tries.map(({ status }) => status), [404, 404]);
}

// ------------------------------------------------------- 7. private assistants

async function systems(w) {
  const hers = await assistant(w, "alice", { metadata: { created_by: "system" } });
  const patched = await assistant(w, "alice");
  await made(w, "alice", { method: "PATCH", path: `/assistants/${patched.assistant_id}`, json: { metadata: { created_by: "system" } } });
  const run = (name, { assistant_id }) => w.ask(name, { method: "POST", path: "/runs/wait", json: { assistant_id, input: { text: "x" } } });
  for (const object of [hers, patched]) {
    const none = nobodys(object);
    const [foreign, missing] = [await run("bob", object), await run("bob", none)];
    if (differs(w.mode, "danger 7", "a private assistant")) assert.equal(foreign.status, 200);
    else {
      assert.equal(foreign.status, 404, foreign.text);
      assert.deepEqual(likeness(foreign, object.ids), likeness(missing, none.ids));
    }
    assert.equal((await run("alice", object)).status, 200, "hers runs for her");
  }
  const [{ assistant_id }] = await made(w, "admin", { method: "POST", path: "/assistants/search", json: { metadata: { created_by: "system" }, graph_id: "agent", limit: 1 } });
  for (const built of ["agent", assistant_id]) assert.equal((await run("bob", { assistant_id: built })).status, 200, "the built-in one runs for all");
}

// ------------------------------------------------ 8. filters that are none

const MISTAKES = ["eq-empty", "in", "no-operator", "or", "list", "nothing"];

async function mistakes(w) {
  for (const wrong of [...MISTAKES, "eq"]) {
    const hers = await thread(w, "alice", { try: wrong });
    const his = await thread(w, "bob", { try: wrong });
    const find = (name, end) => w.ask(name, { method: "POST", path: `/threads/${end}`, json: { metadata: { try: wrong } } });
    const [found, counted] = [await find("bob", "search"), await find("bob", "count")];
    if (wrong !== "eq" && differs(w.mode, "danger 8", "filters with an operator that is unknown or empty")) {
      assert.ok(found.text.includes(hers.marker), wrong);
      continue;
    }
    showsNothing(found, hers, wrong);
    if (counted.status === 200) assert.ok(counted.json <= 1, `${wrong}: counts ${counted.json}`);
    if (wrong !== "eq") continue;
    assert.deepEqual(found.json.map((t) => t.thread_id), [his.thread_id]);
    assert.equal(counted.json, 1);
  }
}

// ------------------------------------------------- 9. rewritten namespaces

async function namespaces(w) {
  const marker = `marker-${randomUUID()}`;
  const json = { namespace: [marker], key: "k", value: { marker } };
  const send = (name, method, path, body) => w.ask(name, { method, path, ...(body ? { json: body } : {}) });
  assert.equal((await send("alice", "PUT", "/store/items", json)).status, 204);
  const truth = () => w.truth({ path: `/store/items?namespace=alice.${marker}&key=k` });
  const before = await truth();
  assert.equal(before.json.value.marker, marker, "it is stored below her name");
  const search = (name, namespace_prefix) => send(name, "POST", "/store/items/search", { namespace_prefix });
  const list = (name, more) => send(name, "POST", "/store/namespaces", { limit: 1000, ...more });
  const object = { marker };
  const about = "search and namespaces with the prefix that was sent";
  for (const prefix of [["alice"], ["alice", marker], []]) hidden(w, 9, about, await search("bob", prefix), object);
  hidden(w, 9, about, await list("bob", {}), object);
  hidden(w, 9, about, await list("bob", { prefix: ["alice"] }), object);
  hidden(w, 9, about, await list("bob", { suffix: [marker] }), object);
  showsNothing(await send("bob", "GET", `/store/items?namespace=alice.${marker}&key=k`), object, "get");
  await send("bob", "PUT", "/store/items", { namespace: ["alice", marker], key: "k", value: { stolen: 1 } });
  await send("bob", "DELETE", "/store/items", { namespace: ["alice", marker], key: "k" });
  assert.equal((await truth()).text, before.text);
  const hers = await made(w, "alice", { path: `/store/items?namespace=${marker}&key=k` });
  assert.equal(hers.value.marker, marker);
  const found = await search("alice", [marker]);
  assert.equal(found.text.includes(`"${marker}"`), !differs(w.mode, "danger 9", about), "her own search");
}

// -------------------------------------------------- 10 to 14: the server itself

async function wipe(w) {
  const hers = await thread(w, "alice");
  const all = { runs: true, threads: true, assistants: true, checkpointer: true, store: true };
  if (differs(w.mode, "danger 10", "wiping everything")) {
    const answer = await w.ask("bob", { method: "POST", path: "/internal/truncate", json: {} });
    return assert.equal(answer.status, 200);
  }
  for (const path of ["/internal/truncate", "/%69nternal/truncate", "/internal/truncat%65", "//internal/truncate", "/internal//truncate", "/ok/../internal/truncate", "/internal/truncate?x", "/internal/truncate/"])
    for (const name of ["bob", "admin", null])
      for (const headers of [{}, { "Content-Type": "text/plain" }, { "X-HTTP-Method-Override": "POST" }]) {
        const answer = await w.ask(name, { method: "POST", path, body: JSON.stringify(all), headers });
        assert.ok(answer.status >= 400, `${name} ${path}: ${answer.status}`);
      }
  assert.equal((await w.ask("alice", { path: `/threads/${hers.thread_id}` })).json.metadata.marker, hers.marker);
}

async function studio(w) {
  const hers = await thread(w, "alice");
  const path = `/threads/${hers.thread_id}`;
  for (const name of ["x-auth-scheme", "X-Auth-Scheme", "X_Auth_Scheme"]) {
    const headers = { [name]: "langsmith" };
    const nobody = await w.ask(null, { path, headers });
    assert.equal(nobody.status, 401, `${name}: ${nobody.text}`);
    const bobs = await w.ask("bob", { path, headers });
    assert.equal(bobs.status, 404, `${name}: ${bobs.text}`);
    assert.equal((await w.ask("alice", { path, headers })).status, 200);
    const json = { assistant_id: "agent", input: { text: "x" } };
    const run = await w.ask("bob", { method: "POST", path: "/runs/wait", json, headers });
    assert.equal(run.json.caller, "bob");
    if (w.mode !== "native") assert.ok(!/x.auth.scheme/i.test(run.json.told), run.json.told);
  }
}

async function cascades(w) {
  for (const query of ["delete_threads=true", "x=1&delete_threads=true", "%64elete_threads=true", "delete_threads=false&delete_threads=true", "delete_threads=true&delete_threads=false"]) {
    const bobs = await assistant(w, "bob");
    const hers = await thread(w, "alice", { assistant_id: bobs.assistant_id });
    const answer = await w.ask("bob", { method: "DELETE", path: `/assistants/${bobs.assistant_id}?${query}` });
    if (query === "delete_threads=true") assert.equal(answer.status, 200, "his own assistant goes");
    const left = (await w.ask("alice", { path: `/threads/${hers.thread_id}` })).status;
    const known = query === "delete_threads=true" && differs(w.mode, "danger 12", "threads of an assistant");
    if (known || w.mode === "gateway") assert.equal(left, known ? 404 : 200, query);
  }
}

async function methods(w) {
  const hers = await thread(w, "alice");
  const head = (name, id, path = "") => w.ask(name, { method: "HEAD", path: `/threads/${id}${path}` });
  const missing = nobodys(hers);
  for (const path of ["", "/state", "/history"])
    assert.deepEqual(
      likeness(await head("bob", hers.thread_id, path), hers.ids),
      likeness(await head("bob", missing.thread_id, path), missing.ids),
      `HEAD ${path}`,
    );
  assert.equal((await head("alice", hers.thread_id)).status, 200);
  for (const path of ["/ok", "/threads/search", `/threads/${hers.thread_id}`]) {
    assert.equal((await w.ask(null, { path })).status, 401, path);
    const options = await w.ask(null, { method: "OPTIONS", path });
    assert.equal(options.status, differs(w.mode, "danger 13", "OPTIONS without credentials")?.status ?? 401, `OPTIONS ${path}`);
    showsNothing(options, hers, "OPTIONS");
  }
  assert.equal((await w.ask("bob", { path: "/ok" })).status, 200);
}

async function ends(w) {
  const hers = await thread(w, "alice");
  const gate = randomUUID();
  const json = { assistant_id: "agent", input: { text: hers.marker, gate }, stream_mode: "values" };
  const stream = await w.stream("alice", { method: "POST", path: `/threads/${hers.thread_id}/runs/stream`, json });
  const path = stream.headers.get("content-location").replace(/^https?:\/\/[^/]+/, "");
  await w.gates.arrived(`${gate}.end`);
  for (const [method, end] of [["POST", "/cancel"], ["POST", "/cancel?wait=true&action=rollback"], ["DELETE", ""]])
    assert.equal((await w.ask("bob", { method, path: `${path}${end}` })).status, 404, `${method} ${end}`);
  w.gates.open(`${gate}.end`);
  const since = Date.now();
  const seen = await all(stream);
  assert.ok(seen.at(-1).includes(`echo: ${hers.marker}`), "the last event arrives");
  assert.ok(Date.now() - since < 5000, "the stream ends by itself");
}

export const attacks = [
  ...bodyAttacks,
  { danger: 4, title: "paths spelled oddly", test: spellings },
  { danger: 4, title: "JSON names that are read twice", test: twice },
  { danger: 5, title: "protocol v2 keeps the first caller", test: protocol },
  { danger: 5, title: "the id of a deleted thread", test: reused },
  { danger: 6, title: "a foreign run's stream, which must not lose events either", test: foreignStream },
  { danger: 7, title: "private assistants, also those labelled as built in", test: systems },
  { danger: 8, title: "filters with an operator that is unknown or empty", test: mistakes },
  { danger: 9, title: "store namespaces that a handler rewrites", test: namespaces },
  { danger: 10, title: "wiping everything", test: wipe },
  { danger: 11, title: "the studio user", test: studio },
  { danger: 12, title: "threads that go with an assistant", test: cascades },
  { danger: 13, title: "HEAD, OPTIONS and /ok", test: methods },
  { danger: 14, title: "a stream between its last event and its end", test: ends },
];
