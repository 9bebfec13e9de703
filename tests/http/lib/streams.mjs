// SPDX-License-Identifier: Apache-2.0
// Streams: every event is there before the next one is written, a broken one
// goes on where it broke off, a client that leaves is noticed behind, and a
// credential that ends takes its streams along.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { until } from "./httpd.mjs";
import { made, thread } from "./objects.mjs";
import { runStart, subscribe } from "./rows-protocol.mjs";

const LIMIT = 15_000; // ms until a stream ends after its credential
const NOTICED = 10_000; // ms until a client that left is missed: a look a second

const input = (more) => ({
  assistant_id: "agent",
  input: { text: "slow", ticks: 3, ...more },
  stream_mode: ["custom", "values"],
});

const tick = ({ event, data }) => (event === "custom" ? JSON.parse(data).tick : undefined);

/** The next tick of a stream, and the id of its event. */
async function nextTick(stream) {
  for (;;) {
    const { value, done } = await stream.events.next();
    assert.ok(!done, "the stream ended");
    if (tick(value) !== undefined) return { n: tick(value), id: value.id };
  }
}

/* The graph stands at each gate until the event before it has been read. */
async function unbuffered(w, stream, gate) {
  assert.equal(stream.status, 200);
  for (let i = 0; i < 3; i++) {
    w.gates.open(`${gate}.${i}`);
    assert.equal((await nextTick(stream)).n, i);
  }
  w.gates.open(`${gate}.end`);
  const rest = [];
  for await (const { data } of stream.events) rest.push(data);
  assert.match(rest.at(-1), /echo: slow/);
}

async function arrive(w) {
  const { thread_id } = await thread(w, "alice");
  for (const path of [`/threads/${thread_id}/runs/stream`, "/runs/stream"]) {
    const gate = randomUUID();
    const stream = await w.stream("alice", { method: "POST", path, json: input({ gate }) });
    await unbuffered(w, stream, gate);
  }
}

/** A run that stands at its first gate. */
async function standing(w, name, more) {
  const { thread_id } = await thread(w, name);
  const gate = randomUUID();
  const json = { ...input({ gate }), stream_resumable: true, ...more };
  const { run_id } = await made(w, name, { method: "POST", path: `/threads/${thread_id}/runs`, json });
  await w.gates.arrived(`${gate}.0`);
  return { gate, thread_id, run_id, path: `/threads/${thread_id}/runs/${run_id}` };
}

async function joined(w) {
  const { gate, path } = await standing(w, "alice");
  await unbuffered(w, await w.stream("alice", { path: `${path}/stream`, headers: { "Last-Event-ID": "-1" } }), gate);
}

async function reconnects(w) {
  const { gate, path, thread_id, run_id } = await standing(w, "alice");
  const join = (name, id) => w.stream(name, { path: `${path}/stream`, headers: { "Last-Event-ID": id } });
  const first = await join("alice", "-1");
  w.gates.open(`${gate}.0`);
  const { n, id } = await nextTick(first);
  assert.equal(n, 0);
  first.stop();
  w.gates.open(`${gate}.1`);
  const second = await join("alice", id);
  assert.equal((await nextTick(second)).n, 1, "neither again nor left out");
  // Whoever may not see it is not given the rest of it either.
  if (w.mode === "gateway") assert.equal((await join("bob", id)).status, 404);
  w.gates.open(`${gate}.2`);
  assert.equal((await nextTick(second)).n, 2);
  w.gates.open(`${gate}.end`);
  for await (const event of second.events) void event;
  const run = await made(w, "alice", { path: `/threads/${thread_id}/runs/${run_id}` });
  assert.equal(run.status, "success");
}

const statusOf = async (w, path) => (await w.truth({ path })).json.status;

/** No event comes that could not be written: it is noticed all the same. */
async function gone(w, stream, path) {
  const since = Date.now();
  stream.stop();
  await until(async () => (await statusOf(w, path)) === "interrupted", "the run to be cancelled");
  const ms = Date.now() - since;
  assert.ok(ms < NOTICED, `cancelled after ${ms} ms`);
}

/** Gone from the middle of a stream, the client takes the run along. */
async function leaves(w) {
  const { thread_id } = await thread(w, "alice");
  const gate = randomUUID();
  const json = { ...input({ gate }), on_disconnect: "cancel" };
  const started = await w.stream("alice", { method: "POST", path: `/threads/${thread_id}/runs/stream`, json });
  w.gates.open(`${gate}.0`);
  await nextTick(started);
  const own = started.headers.get("content-location").split("/").at(-1);
  await gone(w, started, `/threads/${thread_id}/runs/${own}`);
}

/** So it does from a run that was joined. */
async function leavesJoined(w) {
  const { gate, path } = await standing(w, "alice");
  const query = "?cancel_on_disconnect=true";
  const stream = await w.stream("alice", { path: `${path}/stream${query}`, headers: { "Last-Event-ID": "-1" } });
  w.gates.open(`${gate}.0`);
  await nextTick(stream);
  await gone(w, stream, path);
}

/** One that stays away without having said so does not. */
async function stays(w) {
  const { gate, path } = await standing(w, "alice");
  const stream = await w.stream("alice", { path: `${path}/stream`, headers: { "Last-Event-ID": "-1" } });
  w.gates.open(`${gate}.0`);
  await nextTick(stream);
  stream.stop();
  for (const name of ["1", "2", "end"]) w.gates.open(`${gate}.${name}`);
  await until(async () => (await statusOf(w, path)) === "success", "the run to end");
}

// -------------------------------------------------------- credentials that end

/** Milliseconds until the stream ends, by whatever end. */
async function lasts(stream) {
  const since = Date.now();
  const late = setTimeout(() => stream.stop(), LIMIT + 5000);
  try {
    for await (const event of stream.events) void event;
  } catch {
    // broken off
  }
  clearTimeout(late);
  return Date.now() - since;
}

const idOf = ({ "X-API-Key": text }) => text.slice("sk-agentauth-".length).slice(0, 10);

/** Somebody of whom nothing else is under way, with a key that will end: the
 *  headers that go with it. */
async function somebody(w, options) {
  const name = `user-${randomUUID()}`;
  await w.httpd.addUser(name);
  return { "X-API-Key": await w.httpd.addKey(name, options) };
}

/** Streams of the three kinds, all of them silent. */
async function silent(w, who) {
  const { path } = await standing(w, who);
  const { thread_id } = await thread(w, who);
  const gate = randomUUID();
  const streams = await Promise.all([
    w.stream(who, { path: `${path}/stream`, headers: { "Last-Event-ID": "-1" } }),
    w.stream(who, { method: "POST", path: `/threads/${thread_id}/runs/stream`, json: input({ gate }) }),
    w.stream(who, { method: "POST", path: "/runs/stream", json: input({ gate }) }),
  ]);
  for (const stream of streams) assert.equal(stream.status, 200);
  return streams;
}

async function ended(streams) {
  const times = await Promise.all(streams.map(lasts));
  for (const [i, ms] of times.entries()) assert.ok(ms < LIMIT, `stream ${i} ended after ${ms} ms`);
}

async function revoked(w) {
  const who = await somebody(w);
  const streams = await silent(w, who);
  const other = await standing(w, "bob");
  const kept = await w.stream("bob", { path: `${other.path}/stream`, headers: { "Last-Event-ID": "-1" } });
  await w.httpd.cliOk("key", "revoke", idOf(who));
  await ended(streams);
  // Another user's stream goes on.
  w.gates.open(`${other.gate}.0`);
  assert.equal((await nextTick(kept)).n, 0);
  kept.stop();
}

async function expired(w) {
  await ended(await silent(w, await somebody(w, { expires: "6s" })));
}

async function heard(w) {
  const who = await somebody(w);
  const own = await thread(w, who);
  assert.equal((await runStart(w, who, own)).status, 200);
  const stream = await subscribe(w, who, own);
  assert.equal(stream.status, 200);
  await w.httpd.cliOk("key", "revoke", idOf(who));
  await ended([stream]);
}

const BEHIND = ["headers", "gateway"];

export const streamTests = [
  { title: "each event arrives before the next one is written", test: arrive },
  { title: "so it does when a run's stream is joined", test: joined },
  { title: "a broken stream goes on after the last event", test: reconnects },
  { title: "a client that leaves reaches the backend", test: leaves },
  { title: "a client that leaves a run that it joined reaches the backend", test: leavesJoined },
  { title: "a client that leaves does not end a run that is to go on", test: stays },
  { title: "a revoked key ends its streams", test: revoked, modes: BEHIND },
  { title: "an expired key ends its streams", test: expired, modes: BEHIND },
  { title: "a revoked key ends its subscription", test: heard, modes: ["gateway"] },
];
