// SPDX-License-Identifier: Apache-2.0
// The endpoints of protocol v2 and of crons, one test each.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { foreignView, likeMissing, objectRow, refusedHere, showsNothing } from "./like.mjs";
import { assistant, made, stored, thread } from "./objects.mjs";
import { differs } from "./differences.mjs";
import { Connection } from "./wire.mjs";

// ---------------------------------------------------------------- protocol v2

export const command = (w, name, { thread_id }, method, params = {}) =>
  w.ask(name, { method: "POST", path: `/threads/${thread_id}/commands`, json: { id: 1, method, params } });

export const runStart = (w, name, object, more) =>
  command(w, name, object, "run.start", { assistant_id: "agent", input: { text: "hi" }, metadata: { owner: "bob" }, ...more });

/** What run.start has begun, when it has ended. */
export async function ended(w, name, { thread_id }, answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.type, "success", answer.text);
  await made(w, name, { path: `/threads/${thread_id}/runs/${answer.json.result.run_id}/join` });
  return (await made(w, name, { path: `/threads/${thread_id}/state` })).values;
}

async function commands(w) {
  const row = "POST /threads/{thread_id}/commands";
  const hers = await thread(w, "alice");
  const json = { id: 1, method: "state.get", params: {} };
  if (await refusedHere(w, row, { method: "POST", path: `/threads/${hers.thread_id}/commands`, json })) return;

  const before = await stored(w, hers);
  const state = (name, object) => command(w, name, object, "state.get");
  for (const view of foreignView(w, hers)) await likeMissing(w, row, view, state, 404);
  const start = await runStart(w, "bob", hers, { config: { configurable: { thread_id: hers.thread_id } } });
  if (!differs(w.mode, row, "foreign")?.apart) assert.equal(start.status, 404, start.text);
  assert.deepEqual(await stored(w, hers), before, `${row} changed a foreign thread`);

  // Whoever comes first is whom the server takes the thread for: another one.
  const own = await thread(w, "alice");
  assert.equal((await state("alice", own)).json.result.values.text, own.marker);
  assert.equal((await state("admin", own)).json.result.values.text, own.marker);
  const values = await ended(w, "alice", own, await runStart(w, "alice", own));
  assert.deepEqual([values.answer, values.caller], ["echo: hi", "alice"]);
  const fresh = { thread_id: randomUUID() };
  assert.equal((await ended(w, "alice", fresh, await runStart(w, "alice", fresh))).caller, "alice");
  assert.equal((await made(w, "alice", { path: `/threads/${fresh.thread_id}` })).metadata.owner, "alice");
  const runs = await made(w, "alice", { path: `/threads/${fresh.thread_id}/runs` });
  assert.deepEqual(runs.map((r) => r.metadata.owner), ["alice"]);
  assert.equal((await w.ask("bob", { path: `/threads/${fresh.thread_id}` })).status, 404);
  if (w.mode !== "gateway") return;
  const unknown = await command(w, "alice", own, "thread.destroy");
  assert.equal(unknown.status, 400, unknown.text);
  assert.equal(unknown.header("agentauth-error"), "AGA0303");
  const foreign = await assistant(w, "alice");
  for (const view of foreignView(w, foreign))
    await likeMissing(w, row, { ...view, about: "foreign assistant" }, async (name, { assistant_id }) =>
      runStart(w, name, await thread(w, name), { assistant_id }), 404);
}

const EVENTS = { channels: ["values", "lifecycle", "custom", "messages", "updates"] };
export const subscribe = (w, name, { thread_id }) =>
  w.stream(name, { method: "POST", path: `/threads/${thread_id}/stream/events`, json: EVENTS });

/** Events until one of them holds the text; false: none within the time. */
export async function hears(stream, text, ms = 3000) {
  const late = setTimeout(() => stream.stop(), ms);
  try {
    for await (const { data } of stream.events) if (data.includes(text)) return true;
    return false;
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    return false;
  } finally {
    clearTimeout(late);
    stream.stop();
  }
}

async function streamEvents(w) {
  const row = "POST /threads/{thread_id}/stream/events";
  const hers = await thread(w, "alice");
  const path = `/threads/${hers.thread_id}/stream/events`;
  if (await refusedHere(w, row, { method: "POST", path, json: EVENTS })) return;
  await ended(w, "alice", hers, await runStart(w, "alice", hers, { input: { text: hers.marker } }));
  assert.ok(await hears(await subscribe(w, "alice", hers), hers.marker), "alice hears of her run");
  assert.ok(await hears(await subscribe(w, "admin", hers), hers.marker), "so does an admin");
  const known = differs(w.mode, row, "foreign");
  const bobs = await subscribe(w, "bob", hers);
  assert.equal(bobs.status, known?.foreign ?? 404);
  assert.equal(await hears(bobs, hers.marker), Boolean(known?.leaks), "bob hears of it");
  if (w.mode !== "gateway") return;
  // An id that is free becomes the listener's: nobody else's run is heard there.
  const free = { thread_id: randomUUID() };
  const early = await subscribe(w, "bob", free);
  assert.equal(early.status, 200);
  assert.equal((await runStart(w, "alice", free)).status, 404);
  assert.equal((await made(w, "bob", { path: `/threads/${free.thread_id}` })).metadata.owner, "bob");
  const mine = ended(w, "bob", free, await runStart(w, "bob", free, { input: { text: "his own" } }));
  assert.ok(await hears(early, "his own"), "bob hears of his own run");
  await mine;
}

async function websocket(w) {
  const row = "GET /threads/{thread_id}/stream/events";
  const hers = await thread(w, "alice");
  for (const name of ["alice", "bob", "admin"])
    for (const upgrade of ["websocket", "WebSocket", "h2c, websocket"]) {
      const connection = await Connection.open(w.port);
      const [[field, value]] = Object.entries(w.headers(name));
      connection.sendLines(
        `GET /threads/${hers.thread_id}/stream/events HTTP/1.1`, "Host: gateway.test", `${field}: ${value}`,
        "Connection: Upgrade", `Upgrade: ${upgrade}`, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      );
      const answer = await connection.answer();
      connection.close();
      const known = differs(w.mode, row, "everyone");
      if (upgrade === "websocket") assert.equal(answer.status, known.status, `${name} ${answer.text}`);
      else if (w.mode !== "native") assert.notEqual(answer.status, 101, `${name} ${upgrade}`);
      showsNothing(answer, hers, row);
    }
}

// ---------------------------------------------------------------------- crons

/* The server has none: whoever gets as far as it hears that. */
const notThere = (answer) => assert.deepEqual([answer.status, answer.text], [500, "Not implemented"]);

async function builtIn(w) {
  const json = { graph_id: "agent", metadata: { created_by: "system" } };
  return (await made(w, "admin", { method: "POST", path: "/assistants/search", json }))[0].assistant_id;
}

async function cronThread(w, name) {
  return { ...(await thread(w, name)), assistant_id: await builtIn(w) };
}

const cron = (path) => ({ thread_id, assistant_id }) => ({
  path: path.replace("ID", thread_id),
  json: { thread_id, assistant_id, schedule: "0 0 1 1 *", metadata: { owner: "bob" } },
});

async function cronSearch(w) {
  const what = { method: "POST", path: "/runs/crons/search", json: {} };
  const known = differs(w.mode, "POST /runs/crons/search", "under a filter");
  for (const name of ["alice", "bob"]) {
    const answer = await w.ask(name, what);
    if (known) assert.deepEqual([answer.status, answer.header("agentauth-error")], [known.status, known.code]);
    else notThere(answer);
  }
  notThere(await w.ask("admin", what));
}

async function cronDelete(w) {
  const row = "DELETE /runs/crons/{cron_id}";
  const path = `/runs/crons/${randomUUID()}`;
  if (await refusedHere(w, row, { method: "DELETE", path })) return;
  for (const name of ["alice", "bob", "admin"]) notThere(await w.ask(name, { method: "DELETE", path }));
}

export const protocolRows = [
  { row: "POST /threads/{thread_id}/commands", test: commands },
  { row: "POST /threads/{thread_id}/stream/events", test: streamEvents },
  { row: "GET /threads/{thread_id}/stream/events", test: websocket },
  objectRow("POST /runs/crons", { make: cronThread, ask: cron("/runs/crons"), good: notThere }),
  { row: "POST /runs/crons/search", test: cronSearch },
  { row: "DELETE /runs/crons/{cron_id}", test: cronDelete },
  objectRow("POST /threads/{thread_id}/runs/crons", { make: cronThread, ask: cron("/threads/ID/runs/crons"), good: notThere }),
];
