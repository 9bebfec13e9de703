// SPDX-License-Identifier: Apache-2.0
// The endpoints of runs, on threads and without, one test each.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { likeMissing, objectRow, foreignView, refusedHere, runViews, showsNothing } from "./like.mjs";
import { assistant, made, nobodys, run, runEnded, stored, thread, waitingRun } from "./objects.mjs";

const get = (w, name, path) => w.ask(name, { path });
const runsOf = async (w, thread_id) => (await w.truth({ path: `/threads/${thread_id}/runs` })).json;

/* Of an ended stream, as data. */
const events = (text) =>
  text.split("\n\n").filter((part) => /^data:/m.test(part)).map((part) => ({
    event: /^event: ?(.*)$/m.exec(part)?.[1],
    data: /^data: ?(.*)$/m.exec(part)[1],
  }));

/* What the three ways to start a run answer, as the graph's values. */
const VALUES = {
  "": null,
  "/stream": (answer) => JSON.parse(events(answer.text).filter((e) => e.event === "values").at(-1).data),
  "/wait": (answer) => JSON.parse(answer.text),
};

/** Runs an assistant of alice's as bob: hers looks like none at all. */
async function foreignAssistant(w, row, send) {
  const hers = await assistant(w, "alice");
  const [view] = foreignView(w, hers);
  await likeMissing(w, row, { ...view, about: "foreign assistant" }, send, 404);
  const own = await assistant(w, "bob");
  const answer = await send("bob", own);
  assert.equal(answer.status, 200, `own assistant: ${answer.text}`);
}

// --------------------------------------------------------- starting on a thread

/** POST /threads/{thread_id}/runs and the two that stay to see the end. */
function startRow(end) {
  const row = `POST /threads/{thread_id}/runs${end}`;
  const start = (w, name, thread_id, more) =>
    w.ask(name, {
      method: "POST",
      path: `/threads/${thread_id}/runs${end}`,
      json: { assistant_id: "agent", input: { text: "hi" }, metadata: { owner: "bob" }, stream_mode: "values", ...more },
    });

  async function test(w) {
    const hers = await thread(w, "alice");
    const before = await stored(w, hers);
    const send = (name, object) => start(w, name, object.thread_id);
    for (const view of foreignView(w, hers)) await likeMissing(w, row, view, send, 404);
    for (const if_not_exists of ["create", "reject"])
      assert.equal((await start(w, "bob", hers.thread_id, { if_not_exists })).status, 404, if_not_exists);
    const own = await thread(w, "bob");
    const smuggled = {
      config: { configurable: { thread_id: hers.thread_id } },
      checkpoint: { thread_id: hers.thread_id, checkpoint_ns: "" },
    };
    showsNothing(await start(w, "bob", own.thread_id, smuggled), hers, `${row}, another thread in the body`);
    assert.deepEqual(await stored(w, hers), before, `${row} changed a foreign thread`);

    await starts(w, hers);
    await makesThread(w);
    await foreignAssistant(w, row, async (name, { assistant_id }) =>
      start(w, name, (await thread(w, name)).thread_id, { assistant_id }));
  }

  async function starts(w, { thread_id }) {
    const answer = await start(w, "alice", thread_id);
    assert.equal(answer.status, 200, answer.text);
    const [first] = await runsOf(w, thread_id);
    assert.equal(first.metadata.owner, "alice");
    assert.ok(answer.header("content-location").endsWith(`/threads/${thread_id}/runs/${first.run_id}`));
    const values = VALUES[end]?.(answer) ?? (await made(w, "alice", { path: `/threads/${thread_id}/runs/${first.run_id}/join` }));
    assert.deepEqual([values.answer, values.caller], ["echo: hi", "alice"]);
    assert.equal((await start(w, "admin", thread_id, { multitask_strategy: "enqueue" })).status, 200);
    assert.equal((await runsOf(w, thread_id)).length, 2);
  }

  async function makesThread(w) {
    const thread_id = randomUUID();
    const answer = await start(w, "alice", thread_id, { if_not_exists: "create" });
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await get(w, "alice", `/threads/${thread_id}`)).json.metadata.owner, "alice");
    assert.equal((await get(w, "bob", `/threads/${thread_id}`)).status, 404);
  }

  return { row, test };
}

// ------------------------------------------------------------------ single runs

const at = (rest) => ({ thread_id, run_id }) => ({ path: `/threads/${thread_id}/runs/${run_id}${rest}` });
const resumed = (ask) => (object) => ({ ...ask(object), headers: { "Last-Event-ID": "-1" } });

const one = (row, ask, good, more) => objectRow(row, { make: (w, name) => run(w, name), ask, good, views: runViews, ...more });

function ok(check) {
  return async (answer, object, w) => {
    assert.equal(answer.status, 200, answer.text);
    await check(answer, object, w);
  };
}

const shows = ok(({ json }, { run_id, thread_id }) => {
  assert.deepEqual([json.run_id, json.thread_id, json.status], [run_id, thread_id, "success"]);
  assert.equal(json.metadata.owner, "alice");
});

const lists = ok(({ json }, { run_id }) => assert.deepEqual(json.map((r) => r.run_id), [run_id]));
const joins = ok(({ json }, { marker }) => assert.equal(json.answer, `echo: ${marker}`));

const streams = ok(({ text, ...answer }, { marker }) => {
  const seen = events(text);
  assert.equal(JSON.parse(seen.at(-1).data).answer, `echo: ${marker}`);
});

async function deleted(answer, { thread_id, run_id }, w) {
  assert.equal(answer.status, 204, answer.text);
  assert.deepEqual(await runsOf(w, thread_id), []);
  assert.equal((await get(w, "alice", `/threads/${thread_id}/runs/${run_id}`)).status, 404);
}

async function cancelled(answer, { thread_id }, w) {
  assert.equal(answer.status, 202, answer.text);
  assert.deepEqual((await runsOf(w, thread_id)).map((r) => r.status), ["interrupted"]);
}

// --------------------------------------------------------------- without a thread

const stateless = (w, name, end, more) =>
  w.ask(name, {
    method: "POST",
    path: `/runs${end}`,
    json: { assistant_id: "agent", input: { text: "hi" }, metadata: { owner: "bob" }, stream_mode: "values", ...more },
  });

/** Whose thread it is that a run without one has left. */
async function left(w, name, { thread_id }) {
  const { json } = await w.truth({ path: `/threads/${thread_id}` });
  assert.equal(json.metadata.owner, name);
  assert.equal((await get(w, name === "bob" ? "alice" : "bob", `/threads/${thread_id}`)).status, 404);
}

function statelessRow(end) {
  const row = `POST /runs${end}`;
  async function test(w) {
    for (const name of ["alice", "bob"]) {
      const tag = randomUUID();
      const answer = await stateless(w, name, end, {
        metadata: { owner: "alice", tag }, on_completion: "keep",
        config: { configurable: { langgraph_auth_user_id: "mallory" } },
      });
      assert.equal(answer.status, 200, answer.text);
      const threads = await w.truth({ method: "POST", path: "/threads/search", json: { metadata: { tag } } });
      assert.equal(threads.json.length, 1, "the thread has the run's metadata");
      await left(w, name, threads.json[0]);
      if (!end) assert.equal(answer.json.metadata.owner, name);
      else assert.equal(VALUES[end](answer).caller, name);
    }
    assert.equal((await stateless(w, "admin", end)).status, 200);
    const hers = await thread(w, "alice");
    const before = await stored(w, hers);
    const { thread_id } = hers;
    showsNothing(
      await stateless(w, "bob", end, { thread_id, config: { configurable: { thread_id } }, checkpoint: { thread_id } }),
      hers, `${row}, a thread in the body`,
    );
    assert.deepEqual(await stored(w, hers), before, `${row} wrote into a foreign thread`);
    await foreignAssistant(w, row, (name, { assistant_id }) => stateless(w, name, end, { assistant_id }));
  }
  return { row, test };
}

async function batch(w) {
  const row = "POST /runs/batch";
  const send = (name, list) => w.ask(name, { method: "POST", path: "/runs/batch", json: list });
  const element = (more) => ({ assistant_id: "agent", input: { text: "hi" }, on_completion: "keep", ...more });
  const answer = await send("alice", [1, 2, 3].map((n) => element({ metadata: { n, owner: "bob" } })));
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.map((r) => [r.metadata.n, r.metadata.owner]), [[1, "alice"], [2, "alice"], [3, "alice"]]);
  for (const one of answer.json) await left(w, "alice", one);
  assert.equal((await send("admin", [element()])).status, 200);
  await foreignAssistant(w, row, (name, { assistant_id }) => send(name, [element(), element({ assistant_id })]));
  // All or nothing: the good element beside the refused one did not run either.
  const tag = randomUUID();
  const hers = await assistant(w, "alice");
  const refused = await send("bob", [element({ metadata: { tag } }), element({ assistant_id: nobodys(hers).assistant_id })]);
  assert.equal(refused.status, 404, refused.text);
  if (w.mode === "gateway") {
    const { json } = await w.truth({ method: "POST", path: "/threads/search", json: { metadata: { tag } } });
    assert.deepEqual(json, [], "half of a refused batch ran");
  }
}

async function statelessStream(w) {
  const row = "GET /runs/{run_id}/stream";
  const start = async (name) => {
    const marker = `marker-${randomUUID()}`;
    const created = await stateless(w, name, "", { input: { text: marker }, stream_resumable: true, on_completion: "keep" });
    assert.equal(created.status, 200, created.text);
    const { run_id } = created.json;
    await runEnded(w, created.json);
    return { marker, run_id, ids: [run_id] };
  };
  const send = (name, { run_id }) => w.ask(name, { path: `/runs/${run_id}/stream`, headers: { "Last-Event-ID": "-1" } });
  const hers = await start("alice");
  if (await refusedHere(w, row, { path: `/runs/${hers.run_id}/stream` })) return;
  for (const view of foreignView(w, hers)) await likeMissing(w, row, view, send, 404);
  await streams(await send("alice", hers), hers);
}

export const runRows = [
  one("GET /threads/{thread_id}/runs", ({ thread_id }) => ({ path: `/threads/${thread_id}/runs?limit=5&offset=0` }), lists, { views: foreignView }),
  startRow(""),
  startRow("/stream"),
  startRow("/wait"),
  one("GET /threads/{thread_id}/runs/{run_id}", at(""), shows),
  one("DELETE /threads/{thread_id}/runs/{run_id}", at(""), deleted),
  one("GET /threads/{thread_id}/runs/{run_id}/join", at("/join"), joins),
  one("GET /threads/{thread_id}/runs/{run_id}/stream", resumed(at("/stream")), streams),
  one("POST /threads/{thread_id}/runs/{run_id}/cancel", at("/cancel?action=interrupt"), cancelled, { make: waitingRun }),
  statelessRow(""),
  statelessRow("/stream"),
  statelessRow("/wait"),
  { row: "POST /runs/batch", test: batch },
  { row: "GET /runs/{run_id}/stream", test: statelessStream },
];
