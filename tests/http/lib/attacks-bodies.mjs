// SPDX-License-Identifier: Apache-2.0
// Attacks in the bodies of requests: webhooks, who the graph thinks is calling,
// and bodies that are ignored.
import assert from "node:assert/strict";
import { differs } from "./differences.mjs";
import { showsNothing } from "./like.mjs";
import { assistant, made, runEnded, stored, thread } from "./objects.mjs";
import { ended, runStart } from "./rows-protocol.mjs";

// ------------------------------------------------------------------ 1. webhooks

const ELSEWHERE = "http://192.0.2.1:9/hook"; // nobody's address

/** Ways to the backend itself, or to the machine it is on. */
const hooks = (port, target) => [
  target, `/.${target}`, `//127.0.0.1:${port}${target}`, `http://127.0.0.1:${port}${target}`, `HTTP://LOCALHOST:${port}${target}`,
  `http://127.1:${port}${target}`, `http://2130706433:${port}${target}`, `http://0x7f.0.0.1:${port}${target}`, `http://0:${port}${target}`,
  `http://0.0.0.0:${port}${target}`, `http://[::ffff:127.0.0.1]:${port}${target}`, `http://[::1]:${port}${target}`,
  `http://127.0.0.1.:${port}${target}`, `http://localhost.:${port}${target}`, `http://example.com@127.0.0.1:${port}${target}`,
  `http:127.0.0.1:${port}${target}`, `http:\\\\127.0.0.1:${port}${target}`, ` ${target}`, `\thttp://127.0.0.1:${port}${target}`,
  `http://１２７.0.0.1:${port}${target}`, `file:///etc/passwd`, `http://127.0.0.1\n.example.com:${port}${target}`,
];

async function webhooks(w) {
  const hers = await thread(w, "alice");
  const before = await stored(w, hers);
  const run = { assistant_id: "agent", input: { text: "stolen" }, on_completion: "keep" };
  const post = (path, json) => made(w, "bob", { method: "POST", path, json });
  const vetted = (created, webhook) => {
    if (w.mode === "gateway") assert.equal(created.kwargs.webhook, undefined, `${JSON.stringify(webhook)} goes through`);
  };
  const started = [];
  for (const target of [`/threads/${hers.thread_id}/state`, `/threads/${hers.thread_id}/copy`])
    for (const webhook of hooks(w.server.port, target)) {
      // Those that the gateway lets through are shown, and need not run.
      const [created] = await post("/runs/batch", [{ ...run, webhook, after_seconds: 3600 }]);
      vetted(created, webhook);
    }
  const webhook = `/threads/${hers.thread_id}/state`;
  const own = await thread(w, "bob");
  started.push(await post(`/threads/${own.thread_id}/runs`, { ...run, webhook }));
  started.push(await post("/runs", { ...run, webhook: `http://127.0.0.1:${w.server.port}${webhook}` }));
  started.push(...(await post("/runs/batch", [{ ...run }, { ...run, webhook }])));
  for (const one of started) {
    vetted(one, webhook);
    await runEnded(w, one);
  }
  for (const path of ["/runs/wait", "/runs/stream"]) await w.ask("bob", { method: "POST", path, json: { ...run, webhook } });
  assert.deepEqual(await stored(w, hers), before, "a webhook wrote into her thread");
  const kept = await post("/runs", { ...run, webhook: ELSEWHERE, after_seconds: 3600 });
  assert.equal(kept.kwargs.webhook, ELSEWHERE, "a webhook to elsewhere");
}

// ------------------------------------------------ 2. who the graph thinks calls

const LIES = {
  langgraph_auth_user: { identity: "alice", role: "root", permissions: ["admin"] },
  langgraph_auth_user_id: "alice",
  langgraph_auth_permissions: ["admin"],
};

function knows(values, name, about) {
  const told = JSON.parse(values.told);
  assert.equal(values.caller, name, about);
  assert.equal(told.langgraph_auth_user.identity, name, about);
  assert.equal(told.langgraph_auth_user.role, undefined, about);
  assert.deepEqual(told.langgraph_auth_user.permissions, [], about);
  assert.deepEqual(told.langgraph_auth_permissions, [], about);
  return told;
}

async function callers(w) {
  const lie = { config: { configurable: LIES } };
  const mine = await assistant(w, "bob", lie);
  const own = await thread(w, "bob");
  const state = async ({ thread_id }) => (await made(w, "bob", { path: `/threads/${thread_id}/state` })).values;
  const run = (more) => ({ assistant_id: "agent", input: { text: "x" }, on_completion: "keep", ...more });
  const post = (path, json, headers) => made(w, "bob", { method: "POST", path, json, headers });
  for (const [about, more] of [["the run", lie], ["its assistant", { assistant_id: mine.assistant_id }], ["both", { ...lie, assistant_id: mine.assistant_id }]]) {
    knows(await post("/runs/wait", run(more)), "bob", `${about}, without a thread`);
    knows(await post(`/threads/${own.thread_id}/runs/wait`, run(more)), "bob", about);
    const batch = await post("/runs/batch", [run(more), run(more)]);
    const created = [await post("/runs", run(more)), ...batch];
    for (const one of created) {
      await runEnded(w, one);
      knows(await state(one), "bob", `${about}, created`);
    }
  }
  if (w.mode !== "headers") {
    const next = await thread(w, "bob");
    knows(await ended(w, "bob", next, await runStart(w, "bob", next, lie)), "bob", "run.start");
  }
  const headers = { "X-Role": "root", "X-Langgraph-Auth-User-Id": "alice", Langgraph_auth_user_id: "alice" };
  const told = knows(await post("/runs/wait", run(), headers), "bob", "headers");
  assert.equal(told["x-role"], differs(w.mode, "danger 2", "headers of the client")?.told, "X-Role");
  const hers = await made(w, "alice", { method: "POST", path: "/runs/wait", json: run() });
  knows(hers, "alice", "alice herself");
}

// --------------------------------------------------- 3. bodies that are ignored

const TYPES = [
  "application/x-www-form-urlencoded", "application/json5", "multipart/form-data; boundary=x", "text/xml", "text/plain",
  "application/json; charset=utf-16", "application/octet-stream", "application/JSON", "x", "",
];

async function types(w) {
  const hers = await thread(w, "alice");
  const his = await thread(w, "bob");
  const { thread_id } = his;
  for (const type of TYPES)
    for (const body of ['{"metadata":{}}', "metadata=x", "{}", '{"metadata":{"owner":"alice"}}']) {
      const headers = type ? { "Content-Type": type } : {};
      const about = `${type} ${body}`;
      const post = (path, method = "POST") => w.ask("bob", { method, path, body, headers });
      const found = await post("/threads/search");
      showsNothing(found, hers, about);
      if (found.status === 200) for (const one of found.json) assert.equal(one.metadata.owner, "bob", about);
      const made = await post("/threads");
      if (made.status === 200) assert.equal(made.json.metadata.owner, "bob", about);
      await post(`/threads/${thread_id}`, "PATCH");
      assert.equal((await w.ask("bob", { path: `/threads/${thread_id}` })).status, 200, `${about}: his own is his own`);
    }
  const found = await w.ask("bob", { method: "POST", path: "/threads/search", json: { ids: [thread_id] } });
  assert.equal(found.json[0].metadata.marker, his.marker);
}

export const bodyAttacks = [
  { danger: 1, title: "webhooks that lead back into the server", test: webhooks },
  { danger: 2, title: "a caller that the body names", test: callers },
  { danger: 3, title: "a body that is ignored for its type", test: types },
];
